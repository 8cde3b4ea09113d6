"""Bulk operations: the set is frozen at the preview, worked through by a worker, and nothing is done twice."""

from collections.abc import Callable

import pytest
from support.database import sql
from support.ops import OPERATOR, Person, number
from support.ops_scene import make_scene

from domain.identifiers import row_key
from worker import tasks
from worker.maintaining import operate_turn
from worker.store import operating, outbox


def number_of(address: str) -> int:
    key = row_key("op", address.partition("?")[0].rpartition("/")[2])
    assert key is not None
    return key.number


def previewed(person: Person, kind: str, filter_: str, **more: object) -> str:
    return person.done("/ops/operations", kind=kind, filter=filter_, **{"which": "all", **more})


def run(person: Person, address: str) -> None:
    person.done(f"{address}/run", why="provider is back")
    while operate_turn(number_of(address)):
        pass


def test_what_fails_after_the_preview_is_not_touched(let_in: Callable[..., Person]) -> None:
    scene, operator = make_scene(), let_in(OPERATOR)
    address = previewed(operator, "retryJobs", "status=dead")
    sql("UPDATE job SET status = 'dead' WHERE id = (SELECT max(id) FROM job WHERE status = 'accepted')")
    run(operator, address)
    assert sql("SELECT count(*) FROM job WHERE key_space = 'retry'") == [(len(scene.dead),)]
    assert "done 6 skipped 0 failed 0" in operator.read(address)


def test_what_was_done_meanwhile_is_skipped_with_the_reason(let_in: Callable[..., Person]) -> None:
    scene, operator = make_scene(), let_in(OPERATOR)
    address = previewed(operator, "resolveNotSent", "status=unknown")
    outbox.resolve_send(scene.unknown[0], "sent")
    run(operator, address)
    shown = operator.read(address)
    assert "done 2 skipped 1" in shown
    assert "skipped: already sent 1" in shown
    assert sql("SELECT count(*) FROM send WHERE status = 'unknown'") == [(0,)]


def test_a_preview_tells_what_is_left_out_and_why(let_in: Callable[..., Person]) -> None:
    scene, operator = make_scene(), let_in(OPERATOR)
    operator.done(f"/ops/jobs/{scene.dead[0]}/retry", why="first")
    shown = operator.read(previewed(operator, "retryJobs", ""))
    assert "eligible 5" in shown
    assert "left out: retried before 1" in shown
    assert "left out: it is accepted" in shown


def test_what_was_retried_needs_no_attention_any_more(let_in: Callable[..., Person]) -> None:
    make_scene()
    operator = let_in(OPERATOR)
    assert number(operator.see("/ops"), "dead") == "6"
    run(operator, previewed(operator, "retryJobs", "status=dead"))
    assert number(operator.see("/ops"), "dead") == "0"
    assert "jobs died" not in operator.read("/ops")


def test_a_kind_or_a_selection_is_acted_on_alone(let_in: Callable[..., Person]) -> None:
    scene, operator = make_scene(), let_in(OPERATOR)
    chosen = previewed(operator, "retryJobs", "status=dead", which="selected", item=scene.dead[:2])
    assert "eligible 2" in operator.read(chosen)
    assert operator.do("/ops/operations", kind="retryJobs", filter="", which="selected").status_code == 400
    before = operator.see("/ops/failures").split("CheckViolation")[0]
    of_a_kind = before.rpartition('name="filter" value="')[2].split('"')[0]
    assert "eligible 3" in operator.read(previewed(operator, "retryJobs", of_a_kind.replace("&amp;", "&")))


def test_an_operation_runs_once(let_in: Callable[..., Person]) -> None:
    make_scene()
    operator = let_in(OPERATOR)
    address = previewed(operator, "retryJobs", "status=dead")
    assert operator.do(f"{address}/run").status_code == 400
    run(operator, address)
    assert operator.do(f"{address}/run", why="again").status_code == 409
    assert operator.do(f"{address}/cancel").status_code == 409


def test_a_chunk_done_twice_changes_nothing(let_in: Callable[..., Person]) -> None:
    make_scene()
    operator = let_in(OPERATOR)
    address = previewed(operator, "retryJobs", "status=dead")
    operator.done(f"{address}/run", why="x")
    assert operating.work_on(number_of(address))
    sql("UPDATE operation_item SET outcome = NULL")  # as if the worker had died before it noted what it did
    run_again = operating.work_on(number_of(address))
    assert run_again
    assert sql("SELECT count(*) FROM job WHERE key_space = 'retry'") == [(6,)]


def test_a_cancelled_operation_ends_and_says_what_it_did(
    let_in: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_scene()
    operator = let_in(OPERATOR)
    monkeypatch.setattr(operating, "CHUNK", 2)
    address = previewed(operator, "retryJobs", "status=dead")
    operator.done(f"{address}/run", why="x")
    assert operating.work_on(number_of(address))
    operator.done(f"{address}/cancel")
    operate_turn(number_of(address))
    shown = operator.read(address)
    assert "cancelled" in shown
    assert "done 2 skipped 0" in shown


def test_many_items_are_typed_and_never_block_a_request(let_in: Callable[..., Person]) -> None:
    make_scene()
    operator = let_in(OPERATOR)
    sql(
        "INSERT INTO job (workspace_id, campaign_id, fingerprint, rows, row_count, received, duplicates, errors,"
        " status) SELECT 1, 1, '', '', 0, 0, 0, 0, 'dead' FROM generate_series(1, 500)"
    )
    address = previewed(operator, "retryJobs", "status=dead")
    assert operator.do(f"{address}/run", why="x").status_code == 400
    operator.done(f"{address}/run", why="x", count="506")
    assert sql("SELECT count(*) FROM job WHERE key_space = 'retry'") == [(0,)], "a worker does it, not the request"


def test_the_sweep_goes_on_with_an_operation_whose_worker_died(
    let_in: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_scene()
    operator = let_in(OPERATOR)
    address = previewed(operator, "retryJobs", "status=dead")
    operator.done(f"{address}/run", why="x")
    nudged: list[int] = []
    monkeypatch.setattr("worker.nudges.operate", nudged.append)
    tasks.sweep()
    assert nudged == [number_of(address)]


def test_what_was_done_is_in_the_audit(let_in: Callable[..., Person]) -> None:
    scene, operator = make_scene(), let_in(OPERATOR)
    run(operator, address := previewed(operator, "retryJobs", "status=dead"))
    lines = sql("SELECT action, why, before, after FROM audit WHERE target LIKE 'op_%' ORDER BY id")
    assert lines == [
        ("operation.preview", None, "status=dead", "6 eligible, 0 not"),
        ("operation.run", "provider is back", "previewed", "running on 6"),
    ]
    assert "provider is back" in operator.read(address)
    of_its_job = operator.read(f"/ops/jobs/{scene.dead[0]}").split("Who acted on it")[1]
    assert of_its_job.startswith(" Accept dead jobs anew")
    assert f"by ana ({operator.key.row.public_id}): done" in of_its_job
