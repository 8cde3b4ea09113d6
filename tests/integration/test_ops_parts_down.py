"""The operations page while parts are down, stages are paused, or PostgreSQL is slow."""

import re
from collections.abc import Callable

import psycopg
import pytest
from conftest import Store, forget_connections
from support.database import job_statuses, send_statuses, sql
from support.ops import ADMIN, VIEWER, Person

from worker import tasks
from worker.enrolling import take_turn
from worker.store import campaigns, ledger
from worker.store.tables import Campaign
from worker.store.workers import Sign, say_alive, say_goodbye

SIGN = Sign("enrolling@here", ["enrollment", "sequencer", "delivery", "maintenance"], 2, 1, "here", 7, "1.0")


@pytest.fixture
def campaign(new_campaign: Callable[..., Campaign]) -> Campaign:
    made = new_campaign()
    ledger.accept(made.public_id, [{"email": "a@x.test"}])
    take_turn(made.number)
    return made


def test_with_redis_and_every_worker_down_the_page_says_so(
    let_in: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = let_in(ADMIN)
    monkeypatch.setenv("ENROLL_REDIS_URL", "redis://127.0.0.1:1")
    forget_connections()
    shown = admin.read("/ops")
    assert "degraded" in shown
    assert "Redis (Valkey) cannot be reached" in shown
    assert "no worker has been heard of for 30 s" in shown
    assert "Redis cannot be reached" in admin.read("/ops/workers")


def test_with_everything_up_and_nothing_to_do_all_is_well(let_in: Callable[..., Person]) -> None:
    say_alive(SIGN)
    tasks.sweep()
    shown = let_in(ADMIN).read("/ops")
    assert "OK" in shown.split("The rule")[0]
    assert "Nothing needs attention; nothing was done within a day" in shown


def test_where_nothing_needs_attention_the_last_success_is_told_to_the_second(
    let_in: Callable[..., Person], campaign: Campaign
) -> None:
    assert done_at(campaign)[0] == 1
    sql("UPDATE stage_minute SET done_at = now() - interval '42 s', minute = date_trunc('minute', now())")
    assert re.search(r"Nothing needs attention; last success 4\d s ago", let_in(VIEWER).read("/ops"))


def test_a_worker_that_falls_silent_is_missed_and_one_that_says_goodbye_is_not(let_in: Callable[..., Person]) -> None:
    admin = let_in(ADMIN)
    say_alive(SIGN)
    assert "1 of 1" in admin.read("/ops")
    sql("UPDATE worker SET seen_at = now() - interval '1 minute'")
    assert "0 of 1" in admin.read("/ops")
    assert "missing" in admin.read("/ops/workers")
    say_goodbye(SIGN.name, SIGN.pid)
    assert "0 of 0" in admin.read("/ops")


def test_old_work_that_nobody_does_is_stalled_and_old_work_that_moves_is_not(
    let_in: Callable[..., Person], campaign: Campaign
) -> None:
    admin = let_in(ADMIN)
    ledger.accept(campaign.public_id, [{"email": "b@x.test"}])
    sql("UPDATE job SET created_at = now() - interval '20 minutes' WHERE status = 'accepted'")
    assert "apply is late" in admin.read("/ops"), "a job was applied within the window"
    sql("DELETE FROM stage_minute")
    assert "stalled apply stands still" in admin.read("/ops").replace("■ ", "")


@pytest.mark.parametrize("stage", ["apply", "release", "deliver"])
def test_a_paused_stage_does_nothing_until_it_is_resumed(
    let_in: Callable[..., Person], campaign: Campaign, stage: str
) -> None:
    admin = let_in(ADMIN)
    admin.done(f"/ops/stages/{stage}/pause", why="provider is down")
    ledger.accept(campaign.public_id, [{"email": "b@x.test"}])
    campaigns.start_campaign(campaign.public_id)
    work(campaign)
    assert done_at(campaign) == {"apply": (1, 1, 1), "release": (2, 0, 0), "deliver": (2, 2, 0)}[stage]
    shown = admin.read("/ops")
    assert f"{stage} paused" in shown
    assert "provider is down" in shown
    admin.done(f"/ops/stages/{stage}/resume")
    work(campaign)
    assert done_at(campaign) == (2, 2, 2)
    assert [line for (line,) in sql("SELECT action FROM audit WHERE target = :stage ORDER BY id", stage=stage)] == [
        "stage.pause",
        "stage.resume",
    ]


def test_a_part_that_takes_too_long_says_so_and_the_others_are_shown(
    let_in: Callable[..., Person], store: Store, campaign: Campaign
) -> None:
    viewer = let_in(VIEWER)
    with psycopg.connect(store.database_url) as holder:
        holder.execute("LOCK TABLE lead IN ACCESS EXCLUSIVE MODE")
        shown = viewer.read("/ops")
        assert "Took longer than 2 s and was stopped: release" in shown
        assert "Deliver" in shown
        answer = viewer.get(f"/ops/campaigns/{campaign.public_id}")
        assert "Counting took longer than 2 s" in answer.text
        assert viewer.get("/ops/leads?place=due").status_code == 503


def test_with_postgresql_away_the_page_says_that(
    let_in: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = let_in(VIEWER)
    monkeypatch.setenv("ENROLL_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    forget_connections()
    answer = viewer.get("/ops")
    assert answer.status_code == 503
    assert "PostgreSQL cannot be reached" in answer.text


def work(campaign: Campaign) -> None:
    take_turn(campaign.number)
    tasks.deliver()


def done_at(campaign: Campaign) -> tuple[int, int, int]:
    sends = send_statuses(campaign.number)
    return job_statuses(campaign.number).get("applied", 0), sum(sends.values()), sends.get("sent", 0)
