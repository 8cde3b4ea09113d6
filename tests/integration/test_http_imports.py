"""Files over HTTP: what arrives becomes jobs, what became of them is told, and no upload takes the process with it."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from support.command_line import applying
from support.database import sql, stored_leads
from support.http import Caller, NewCaller
from support.polling import until
from support.workbooks import workbook

from domain.identifiers import row_key
from worker import importing, tasks
from worker.enrolling import take_turn
from worker.settings import settings
from worker.store import imports
from worker.web import import_desk, import_request
from worker.web.import_request import XLSX

CSV = {"Content-Type": "text/csv"}
NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
def campaign(caller: Caller) -> str:
    return caller.campaign()


def number_of(public_id: str) -> int:
    key = row_key(public_id.partition("_")[0], public_id)
    assert key
    return key.number


def upload(
    caller: Caller, campaign: str, content: str | bytes, headers: dict[str, str] = CSV, *maps: str, dry: bool = False
) -> Any:
    body = content.encode() if isinstance(content, str) else content
    params = [*(("map", one) for one in maps), *([("dryRun", "true")] if dry else [])]
    return caller("POST", f"/v1/campaigns/{campaign}/leads/import", content=body, headers=headers, params=params)


def data(answer: Any, status: int = 202) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()["data"]
    return told


def applied(caller: Caller, import_id: str) -> dict[str, Any]:
    """What an import came to, once its jobs are applied."""

    def look() -> dict[str, Any] | None:
        told = data(caller("GET", f"/v1/imports/{import_id}"), 200)
        return told if not told["jobs"]["accepted"] else None

    found = until(look)
    assert found
    return found


def rejected(caller: Caller, import_id: str) -> list[list[str]]:
    answer = caller("GET", f"/v1/imports/{import_id}/errors")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.reader(io.StringIO(answer.text, newline="")))


def refused(answer: Any) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["message"]
    return answer.status_code, error["code"]


def written() -> list[int]:
    return [sql(f"SELECT count(*) FROM {table}")[0][0] for table in ("lead", "job", "lead_import", "import_error")]


def test_a_csv_becomes_leads_and_its_import_tells_what_they_came_to(caller: Caller, campaign: str) -> None:
    content = (
        "\ufeffE-Mail;First Name;Company;Use Case\r\n"
        'Ana@X.test;Ana;Voltmetrics;"two\r\nlines"\r\n'
        "nobody;;;\r\n"
        "ana@x.test;;;more\r\n"
        "b@x.test;B;;;too much\r\n"
        "=c@x;;;\r\n"
    )
    with applying():
        answer = upload(caller, campaign, content)
        told = applied(caller, data(answer)["importId"])

    assert answer.headers["Location"] == f"/v1/imports/{told['id']}"
    accepted = data(answer)
    assert (accepted["received"], accepted["acceptedRows"], accepted["errors"], accepted["jobs"]) == (5, 2, 3, 1)
    assert {c["column"]: c["field"] for c in accepted["columns"]} == {
        "E-Mail": "email", "First Name": "firstName", "Company": "company", "Use Case": "Use Case",
    }  # fmt: skip
    assert [(e["line"], e["email"], e["code"]) for e in accepted["firstErrors"]] == [
        (4, "nobody", "invalid_email"),
        (6, "b@x.test", "too_many_cells"),
        (7, "=c@x", "invalid_email"),
    ]
    counts = {key: told[key] for key in ("received", "acceptedRows", "appliedRows", "created", "updated", "enrolled")}
    assert counts == {
        "received": 5, "acceptedRows": 2, "appliedRows": 2, "created": 1, "updated": 0, "enrolled": 1,
    }  # fmt: skip
    assert (told["duplicates"], told["skipped"], told["errors"], told["unchanged"]) == (1, 0, 3, 0)
    assert (told["status"], told["why"], told["campaignId"]) == ("complete", None, campaign)
    assert told["jobs"] == {"accepted": 0, "applied": 1, "dead": 0}
    assert told["finishedAt"] >= told["createdAt"]
    assert stored_leads(number_of(campaign))["ana@x.test"].variables == {"Use Case": "more"}
    assert [row[:2] for row in rejected(caller, told["id"])] == [
        ["line", "email"], ["4", "nobody"], ["6", "b@x.test"], ["7", "'=c@x"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        ("email\tn\na@x.test\t1\n", CSV),
        ("email,n\na@x.test,1\n", {"Content-Type": "Text/CSV; charset=UTF-8; header=present"}),
        (gzip.compress(b"email,n\na@x.test,1\n"), CSV | {"Content-Encoding": "gzip"}),
        (b'{"email": "a@x.test", "n": "1"}\n', NDJSON),
        (gzip.compress(b'{"email": "a@x.test", "n": "1"}'), NDJSON | {"Content-Encoding": "gzip"}),
        (workbook([["email", "n"], ["a@x.test", 1]]), {"Content-Type": XLSX}),
        (
            gzip.compress(workbook([["email", "n"], ["a@x.test", 1]])),
            {"Content-Type": XLSX, "Content-Encoding": "gzip"},
        ),
    ],
    ids=["tab", "csv", "csv.gz", "ndjson", "ndjson.gz", "xlsx", "xlsx.gz"],
)
def test_a_lead_is_the_same_in_whatever_form_it_comes(
    caller: Caller, campaign: str, content: str | bytes, headers: dict[str, str]
) -> None:
    with applying():
        told = applied(caller, data(upload(caller, campaign, content, headers))["importId"])

    assert (told["created"], told["errors"]) == (1, 0)
    assert stored_leads(number_of(campaign))["a@x.test"].variables == {"n": "1"}


def test_what_columns_mean_can_be_said(caller: Caller, campaign: str) -> None:
    content = "Email,Work Email,Title,Job Title,Note\nx,a@x.test,Dr.,CEO,secret\n"
    maps = ("Work Email:email", "Job Title:jobTitle", "Note:", "Email:", "Title:salutation")
    with applying():
        applied(caller, data(upload(caller, campaign, content, CSV, *maps))["importId"])

    lead = stored_leads(number_of(campaign))["a@x.test"]
    assert (lead.standard["jobTitle"], lead.variables) == ("CEO", {"salutation": "Dr."})


def big_file() -> str:
    """1,300 rows, which is three jobs: duplicates within a job and across jobs, changes, bad rows."""
    rows = [f"lead{n % 700}@x.test,{n % 3},{n}" for n in range(1_290)]
    rows[100:100] = ["lead99@x.test,again,", "nobody,,", "a@x.test,1,2,3", '"open"x,,', "lead1@x.test,{,}"]
    rows[900:900] = ["known@x.test,gold,", "stopped@x.test,,", "KNOWN@x.test,gold,", "x@,,", "known2@x.test,new,"]
    return "email,plan,place\n" + "\n".join(rows) + "\n"


def test_a_dry_run_gives_exactly_what_the_import_then_counts_and_writes_nothing(caller: Caller, campaign: str) -> None:
    with applying():
        known = [{"email": f"{name}@x.test", "plan": "gold"} for name in ("known", "known2", "stopped")]
        data(caller.push(campaign, known), 200)
    sql("UPDATE lead SET status = 'stopped', due_at = NULL WHERE email = 'stopped@x.test'")
    before = written()

    dry = data(upload(caller, campaign, big_file(), dry=True), 200)

    assert written() == before
    with applying():
        accepted = data(upload(caller, campaign, big_file()))
        told = applied(caller, accepted["importId"])
    counts = ("received", "created", "updated", "unchanged", "enrolled", "duplicates", "skipped", "errors")
    assert {name: dry[name] for name in counts} == {name: told[name] for name in counts}
    for name in ("columns", "firstErrors", "jobs", "acceptedRows"):
        assert dry[name] == accepted[name]
    assert (dry["importId"], dry["jobs"]) == (None, 3)
    assert told["received"] == told["created"] + told["updated"] + told["duplicates"] + told["errors"] == 1_300
    assert min(told["updated"], told["duplicates"], told["unchanged"]) > 0
    assert told["enrolled"] == told["created"] + told["updated"] - 1


def test_a_duplicate_in_a_later_job_counts_as_updated(caller: Caller, campaign: str) -> None:
    content = "email,n\n" + "".join(f"{n % 600}@x.test,{n % 600}\n" for n in range(1_200))
    with applying():
        told = applied(caller, data(upload(caller, campaign, content))["importId"])

    assert (told["created"], told["updated"], told["unchanged"], told["duplicates"]) == (600, 600, 600, 0)
    assert [tuple(job) for job in sql("SELECT received FROM job ORDER BY id")] == [(500,), (500,), (200,)]


NOT_FOUND = "camp_01hx4mrqpb0000000000000001"


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        ("email\na@x.test\n", {"Content-Type": "application/json"}, 415, "unsupported_media_type"),
        ("email\na@x.test\n", CSV | {"Content-Encoding": "br"}, 415, "unsupported_media_type"),
        ("email\na@x.test\n", {"Content-Type": "text/csv; charset=latin1"}, 415, "unsupported_media_type"),
        ("name\nAna\n", CSV, 400, "invalid_request"),
        ("", CSV, 400, "invalid_request"),
        ("Email,Work Email\n", CSV, 400, "invalid_request"),
        (b"\xff\xfee\0m\0a\0i\0l\0", CSV, 400, "invalid_request"),
        (b"no gzip", CSV | {"Content-Encoding": "gzip"}, 400, "invalid_request"),
        (gzip.compress(b"0" * 20_000_000), CSV | {"Content-Encoding": "gzip"}, 413, "payload_too_large"),
        (gzip.compress(b"\0" * 20_000_000), NDJSON | {"Content-Encoding": "gzip"}, 413, "payload_too_large"),
        (
            gzip.compress(b"0" * 20_000_000),
            {"Content-Type": XLSX, "Content-Encoding": "gzip"},
            413,
            "payload_too_large",
        ),
        (b"PK\3\4 no workbook", {"Content-Type": XLSX}, 400, "invalid_request"),
    ],
    ids=[
        "json",
        "brotli",
        "latin1",
        "no email",
        "empty",
        "two emails",
        "utf-16",
        "no gzip",
        "bomb as csv",
        "bomb as ndjson",
        "bomb as xlsx",
        "no workbook",
    ],
)
def test_what_cannot_be_taken_is_refused_by_name_and_leaves_nothing(  # noqa: PLR0913, PLR0917  # two fixtures
    caller: Caller, campaign: str, content: str | bytes, headers: dict[str, str], status: int, code: str
) -> None:
    assert refused(upload(caller, campaign, content, headers)) == (status, code)
    assert refused(upload(caller, campaign, content, headers, dry=True)) == (status, code)
    assert written() == [0, 0, 0, 0]


@pytest.mark.parametrize("maps", [["Email"], ["a:x", "A:y"], ["none:x"], ["email:{"]])
def test_a_map_that_cannot_be_followed_is_refused(caller: Caller, campaign: str, maps: list[str]) -> None:
    assert refused(upload(caller, campaign, "email,a\nx@x.test,1\n", CSV, *maps)) == (400, "invalid_request")
    assert written() == [0, 0, 0, 0]


def test_an_upload_longer_than_may_be_is_refused(
    caller: Caller, campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENROLL_MAX_IMPORT_BYTES", "200000")
    settings.cache_clear()
    content = ("email\n" + "".join(f"{n:09}@x.test\n" for n in range(20_000))).encode()

    assert refused(upload(caller, campaign, content)) == (413, "payload_too_large")
    assert written() == [0, 0, 0, 0]
    with applying():
        cut = upload(caller, campaign, gzip.compress(content), CSV | {"Content-Encoding": "gzip"})
        import_id = cut.json()["error"]["details"][0]["importId"]
        told = applied(caller, import_id)

    assert refused(cut) == (413, "payload_too_large")
    assert import_id in cut.json()["error"]["message"]
    assert cut.headers["Location"] == f"/v1/imports/{import_id}"
    assert told["status"] == "incomplete"
    assert "at most 200,000" in told["why"]
    assert 5_000 < told["received"] == told["created"] < 200_000 / 17


def test_only_keys_with_the_scope_import_and_only_their_workspace_sees_it(
    caller: Caller, campaign: str, new_caller: NewCaller
) -> None:
    sql("INSERT INTO workspace (name) VALUES ('other')")
    stranger, onlooker = new_caller("other"), new_caller("default", scopes=("read",))
    blind = new_caller("default", scopes=("leads:write",))
    with applying():
        import_id = data(upload(blind, campaign, "email\na@x.test\n"))["importId"]
    of_campaign = f"/v1/campaigns/{campaign}/imports"

    assert refused(upload(onlooker, campaign, "email\na@x.test\n")) == (403, "permission_denied")
    assert refused(upload(stranger, campaign, "email\na@x.test\n")) == (404, "campaign_not_found")
    assert refused(upload(caller, NOT_FOUND, "email\na@x.test\n")) == (404, "campaign_not_found")
    for path in (f"/v1/imports/{import_id}", f"/v1/imports/{import_id}/errors"):
        assert onlooker("GET", path).status_code == 200
        assert refused(stranger("GET", path)) == (404, "import_not_found")
        assert refused(blind("GET", path)) == (403, "permission_denied")
    assert refused(stranger("GET", of_campaign)) == (404, "campaign_not_found")
    assert refused(caller("GET", "/v1/imports/imp_1")) == (404, "import_not_found")
    assert [one["id"] for one in onlooker("GET", of_campaign).json()["data"]] == [import_id]


def test_the_imports_of_a_campaign_are_listed_newest_first_in_parts(caller: Caller, campaign: str) -> None:
    made = [data(upload(caller, campaign, f"email\n{n}@x.test\n"))["importId"] for n in range(3)]
    data(upload(caller, caller.campaign(), "email\nx@x.test\n"))

    first = caller("GET", f"/v1/campaigns/{campaign}/imports?limit=2").json()
    second = caller("GET", f"/v1/campaigns/{campaign}/imports?limit=2&cursor={first['nextCursor']}").json()

    assert [one["id"] for one in first["data"] + second["data"]] == made[::-1]
    assert second["nextCursor"] is None
    assert first["data"][0]["status"] == "running"
    assert first["data"][0]["jobs"] == {"accepted": 1, "applied": 0, "dead": 0}


def test_without_a_worker_an_upload_is_slow_but_not_stuck_and_with_one_only_a_few_jobs_wait(
    caller: Caller, campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[int] = []
    accept = imports.accept_chunks

    def count_and_accept(*arguments: Any) -> Any:
        waiting.append(sql("SELECT count(*) FROM job WHERE status = 'accepted'")[0][0])
        return accept(*arguments)

    monkeypatch.setattr(imports, "accept_chunks", count_and_accept)
    content = "email\n" + "".join(f"{n}@x.test\n" for n in range(5_000))
    monkeypatch.setattr(import_request, "PATIENCE_SECONDS", 3_600)
    with applying():
        applied(caller, data(upload(caller, campaign, content))["importId"])
    assert max(waiting) <= importing.WAITING_JOBS - 1, "however fast the worker is"

    waiting.clear()
    monkeypatch.setattr(import_request, "PATIENCE_SECONDS", 0.05)
    data(upload(caller, campaign, content))

    assert max(waiting) >= 10 - importing.JOBS_A_COMMIT


def test_an_import_waits_out_trouble_with_the_store_and_takes_each_row_once(
    caller: Caller, campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = imports.accept_chunks
    tries: list[list[int]] = []

    def accept_and_lose_the_answer(number: int, chunks: Sequence[imports.Chunk]) -> Any:
        tries.append([chunk.place for chunk in chunks])
        accepted = accept(number, chunks)
        if tries.count(tries[-1]) == 1:
            raise OperationalError("COMMIT", {}, Exception("the connection was lost"))
        return accepted

    monkeypatch.setattr(imports, "accept_chunks", accept_and_lose_the_answer)
    with applying():
        told = applied(caller, data(upload(caller, campaign, big_file()))["importId"])

    assert tries[::2] == tries[1::2], "each commit twice"
    assert list(chain.from_iterable(tries[::2])) == [1, 2, 3]
    assert (told["received"], told["jobs"]["applied"], told["status"]) == (1_300, 3, "complete")
    assert told["received"] == told["created"] + told["updated"] + told["duplicates"] + told["errors"]
    assert len(rejected(caller, told["id"])) - 1 == told["errors"]


def test_an_import_whose_reader_is_silent_is_incomplete(caller: Caller, campaign: str) -> None:
    begun = imports.begin(campaign)
    path = f"/v1/imports/{begun.public_id}"
    assert data(caller("GET", path), 200)["status"] == "running"

    sql("UPDATE lead_import SET heard_at = now() - interval '61 seconds'")
    told = data(caller("GET", path), 200)
    assert (told["status"], told["why"]) == ("incomplete", "whoever read the file is gone")

    imports.hear(begun.number)
    assert data(caller("GET", path), 200)["status"] == "running"


def test_a_dead_job_that_is_retried_counts_as_its_new_one(caller: Caller, campaign: str) -> None:
    import_id = data(upload(caller, campaign, "email\na@x.test\nb@x.test\n"))["importId"]
    sql("UPDATE job SET status = 'dead', last_error = 'poison', finished_at = now()")
    dead = data(caller("GET", f"/v1/imports/{import_id}"), 200)
    assert (dead["status"], dead["jobs"], dead["appliedRows"]) == (
        "complete",
        {"accepted": 0, "applied": 0, "dead": 1},
        0,
    )
    (job,) = caller("GET", "/v1/jobs?status=dead").json()["data"]
    assert job["idempotencyKey"] is None

    data(caller("POST", f"/v1/jobs/{job['id']}/retry"))
    take_turn(number_of(campaign))

    told = data(caller("GET", f"/v1/imports/{import_id}"), 200)
    assert (told["created"], told["jobs"]) == (2, {"accepted": 0, "applied": 1, "dead": 0})


def test_rejected_rows_are_kept_for_a_while_and_their_number_for_ever(caller: Caller, campaign: str) -> None:
    import_id = data(upload(caller, campaign, "email\nnobody\n"))["importId"]
    tasks._forget()
    assert len(rejected(caller, import_id)) == 2

    sql("UPDATE lead_import SET heard_at = now() - interval '8 days'")
    tasks._forget()

    assert sql("SELECT count(*) FROM import_error") == [(0,)]
    assert refused(caller("GET", f"/v1/imports/{import_id}/errors")) == (410, "results_expired")
    assert data(caller("GET", f"/v1/imports/{import_id}"), 200)["errors"] == 1


def test_many_rejected_rows_are_all_given(caller: Caller, campaign: str) -> None:
    with applying():
        answer = data(upload(caller, campaign, "email\n" + "nobody\n" * 2_600))

    rows = rejected(caller, answer["importId"])
    assert [int(row[0]) for row in rows[1:]] == list(range(2, 2_602))
    assert len(answer["firstErrors"]) == 100


def test_more_imports_at_once_than_may_be_are_sent_away(
    caller: Caller, campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_desk, "AT_ONCE_OF_A_WORKSPACE", 0)
    answer = upload(caller, campaign, "email\na@x.test\n")

    assert refused(answer) == (429, "too_many_imports")
    assert int(answer.headers["Retry-After"]) > 0
    assert written() == [0, 0, 0, 0]


def test_a_full_backlog_takes_no_import(caller: Caller, campaign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    caller.push(campaign, [{"email": "a@x.test"}], headers={"Prefer": "respond-async"})
    monkeypatch.setenv("ENROLL_MAX_BACKLOG_JOBS", "1")
    settings.cache_clear()

    until(lambda: refused_or_none(upload(caller, campaign, "email\na@x.test\n")) == (429, "backlog_full"))
    assert data(upload(caller, campaign, "email\na@x.test\n", dry=True), 200)["created"] == 1


def refused_or_none(answer: Any) -> tuple[int, str] | None:
    return refused(answer) if answer.status_code >= 400 else None


def test_long_rows_make_smaller_jobs(caller: Caller, campaign: str) -> None:
    lead = json.dumps({"email": "a@x.test", **{f"v{n}": "x" * 8_000 for n in range(7)}})

    data(upload(caller, campaign, f"{lead}\n" * 60, NDJSON))

    assert [tuple(job) for job in sql("SELECT received FROM job ORDER BY id")] == [(19,), (19,), (19,), (3,)]
