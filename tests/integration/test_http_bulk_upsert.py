"""`POST /v1/campaigns/{id}/leads/bulk`, row by row of the contract."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import Store, forget_connections
from support.command_line import applying
from support.database import send_statuses, sql
from support.http import Caller, NewCaller

from worker.reports import jobs
from worker.settings import settings
from worker.web import waiting

ASYNC = {"Prefer": "respond-async"}


def test_the_answer_says_what_was_created_updated_enrolled_and_refused(caller: Caller) -> None:
    campaign = caller.campaign()
    with applying():
        caller.push(campaign, [{"email": "priya.sharma@voltmetrics.io", "firstName": "P."}])
        answer = caller.push(
            campaign,
            [
                {"email": "Priya.Sharma@voltmetrics.io", "firstName": "Priya", "company": "Voltmetrics"},
                {"email": "dan.foster@loopcraft.com", "useCase": "outbound pipeline generation"},
                {"email": "priya.sharma@voltmetrics.io", "jobTitle": "VP of Sales"},
                {"email": "x@"},
            ],
        )

    assert answer.status_code == 200
    told = answer.json()["data"]
    assert told.pop("jobId").startswith("job_")
    assert told == {
        "created": 1,
        "updated": 1,
        "enrolled": 2,
        "errors": [
            {
                "index": 3,
                "email": "x@",
                "field": "email",
                "code": "invalid_email",
                "message": "email is not an address such as name@example.com",
            }
        ],
        "received": 4,
        "unchanged": 0,
        "duplicates": 1,
        "skipped": 0,
    }


def test_in_a_running_campaign_step_one_is_queued_when_the_answer_comes(caller: Caller) -> None:
    with applying():
        campaign = caller.campaign(start=True)
        for number in range(20):
            caller.push(campaign, [{"email": f"{number}@x.test"}])
            queued = sql(
                "SELECT count(*) FROM send JOIN lead ON lead.id = lead_id WHERE email = :e", e=f"{number}@x.test"
            )
            assert queued == [(1,)]


def test_a_caller_that_does_not_wait_gets_the_address_of_its_job(caller: Caller) -> None:
    campaign = caller.campaign()

    answer = caller.push(campaign, [{"email": "a@x.test"}, {"email": "no"}], headers=ASYNC)

    assert answer.status_code == 202
    told = answer.json()["data"]
    assert (told["status"], told["received"], [e["code"] for e in told["errors"]]) == ("accepted", 2, ["invalid_email"])
    job = caller("GET", answer.headers["Location"]).json()["data"]
    assert (job["id"], job["status"]) == (told["jobId"], "accepted")


def test_a_caller_whose_job_is_not_through_in_time_gets_202(caller: Caller) -> None:
    answer = caller.push(caller.campaign(), [{"email": "a@x.test"}], headers={"Prefer": "foo, wait=1"})

    assert answer.status_code == 202


def test_a_caller_is_woken_by_the_slow_look_where_the_message_is_lost(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.nudges.tell_finished", lambda *_: None)
    with applying():
        assert caller.push(caller.campaign(), [{"email": "a@x.test"}]).status_code == 200


def test_a_caller_is_woken_by_the_message_and_not_by_looking(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_LOOK_EVERY_SECONDS", 3_600)
    with applying():
        for _ in range(20):
            assert caller.push(caller.campaign(), [{"email": "a@x.test"}]).status_code == 200


def test_two_hundred_callers_wait_at_once(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    look = jobs.read_finished_jobs

    def counted(numbers: Any) -> Any:
        looks.append(len(numbers))
        return look(numbers)

    monkeypatch.setattr(waiting, "read_finished_jobs", counted)
    campaign = caller.campaign()
    with ThreadPoolExecutor(200) as callers:
        pushing = [callers.submit(caller.push, campaign, [{"email": f"{n}@x.test"}]) for n in range(200)]
        with applying():
            answers = [push.result() for push in pushing]

    assert {answer.status_code for answer in answers} == {200}
    assert len(looks) < 200, "nobody looks for itself"


def test_small_requests_that_arrive_together_share_a_commit(caller: Caller) -> None:
    campaign = caller.campaign()
    with ThreadPoolExecutor(50) as callers:
        answers = list(
            callers.map(lambda n: caller.push(campaign, [{"email": f"{n}@x.test"}], headers=ASYNC), range(200))
        )

    assert {answer.status_code for answer in answers} == {202}
    transactions = sql("SELECT count(DISTINCT xmin::text), count(*) FROM job")[0]
    assert transactions[1] == 200
    assert transactions[0] < 200


def test_a_refused_request_fails_none_that_share_its_commit(caller: Caller) -> None:
    campaign = caller.campaign()

    def push(number: int) -> int:
        target = campaign if number % 3 else "camp_01hx4mrqpbcn7wh2gfk9yz6e3s"
        key = {"Idempotency-Key": f"{number % 50}"}
        return caller.push(target, [{"email": f"{number}@x.test"}], headers=ASYNC | key).status_code

    with ThreadPoolExecutor(30) as callers:
        statuses = list(callers.map(push, range(150)))

    assert set(statuses) == {202, 404, 422}
    assert sql("SELECT count(*) FROM job") == [(50,)]


def test_fifty_first_uses_of_a_key_are_one_job_and_one_answer(caller: Caller) -> None:
    campaign = caller.campaign()
    key = {"Idempotency-Key": "crm-export-1"}
    with applying(), ThreadPoolExecutor(50) as callers:
        answers = list(callers.map(lambda _: caller.push(campaign, [{"email": "a@x.test"}], headers=key), range(50)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers].count(None) == 1
    assert sql("SELECT count(*) FROM job") == [(1,)]


def test_a_key_used_for_another_request_is_refused(caller: Caller, new_caller: NewCaller) -> None:
    campaign, other = caller.campaign(), caller.campaign()
    key = ASYNC | {"Idempotency-Key": "k"}
    caller.push(campaign, [{"email": "a@x.test"}], headers=key)

    for target, leads in ((campaign, [{"email": "b@x.test"}]), (other, [{"email": "a@x.test"}])):
        refused = caller.push(target, leads, headers=key)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "idempotency_key_reused")
    sql("INSERT INTO workspace (name) VALUES ('other')")
    elsewhere = new_caller("other")
    assert elsewhere.push(elsewhere.campaign(), [{"email": "b@x.test"}], headers=key).status_code == 202


@pytest.mark.parametrize("key", ["", "a b", "é".encode(), "x" * 256])
def test_a_key_that_is_none_is_refused(caller: Caller, key: Any) -> None:
    refused = caller.push(caller.campaign(), [{"email": "a@x.test"}], headers={"Idempotency-Key": key})

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")


BODIES = {
    "no json": b"{",
    "no utf-8": b'{"leads": [{"email": "\xff@x.test"}]}',
    "utf-16": json.dumps({"leads": [{"email": "a@x.test"}]}).encode("utf-16"),
    "nan": b'{"leads": [{"email": "a@x.test", "n": NaN}]}',
    "infinity": b'{"leads": [{"email": "a@x.test", "n": -Infinity}]}',
    "half a character": b'{"leads": [{"email": "a@x.test", "n": "\\ud800"}]}',
    "an endless number": b'{"leads": [{"email": "a@x.test", "n": ' + b"9" * 5_000 + b"}]}",
    "an endless float": b'{"leads": [{"email": "a@x.test", "n": 0.' + b"9" * 5_000 + b"}]}",
    "too deep": b'{"leads": [' + b"[" * 100 + b"]" * 100 + b"]}",
    "far too deep": b"[" * 200_000,
    "no leads": b"{}",
    "no list": b'{"leads": {"email": "a@x.test"}}',
    "an empty list": b'{"leads": []}',
    "nothing": b"",
    "a list": b"[]",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_cannot_be_a_request_is_refused_saying_where(caller: Caller, body: bytes) -> None:
    campaign = caller.campaign()

    refused = caller(
        "POST",
        f"/v1/campaigns/{campaign}/leads/bulk",
        content=body,
        headers={"Content-Type": "application/json"},
    )

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")
    assert len(refused.json()["error"]["message"]) > 30
    assert sql("SELECT count(*) FROM job") == [(0,)]


def test_of_a_key_given_twice_the_last_counts_and_objects_stay_objects(caller: Caller) -> None:
    campaign = caller.campaign()
    first = b'{"email": "no", "email": "a@x.test", "n": 1, "n": 2}'
    body = b'{"leads": [], "leads": [' + first + b', {"email": "b@x.test", "t": {"__type__": "x"}}]}'
    with applying():
        answer = caller(
            "POST", f"/v1/campaigns/{campaign}/leads/bulk", content=body, headers={"Content-Type": "application/json"}
        ).json()["data"]

    assert (answer["created"], [error["code"] for error in answer["errors"]]) == (1, ["invalid_type"])
    assert sql("SELECT custom_variables FROM lead") == [({"n": 2},)]


def test_limits_are_named(caller: Caller) -> None:
    campaign = caller.campaign()

    many = caller.push(campaign, [{"email": "a@x.test"}] * 10_001)
    assert (many.status_code, many.json()["error"]["code"]) == (413, "payload_too_large")
    assert "10,001 leads, at most 10,000" in many.json()["error"]["message"]

    def endless() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 1024 * 1024

    for large in (b" " * (10 * 1024 * 1024 + 1), endless()):
        refused = caller(
            "POST", f"/v1/campaigns/{campaign}/leads/bulk", content=large, headers={"Content-Type": "application/json"}
        )
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/csv"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": ""},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_other_content_is_refused(caller: Caller, headers: dict[str, str]) -> None:
    refused = caller("POST", f"/v1/campaigns/{caller.campaign()}/leads/bulk", content=b"{}", headers=headers)

    assert (refused.status_code, refused.json()["error"]["code"]) == (415, "unsupported_media_type")


def test_all_rows_bad_is_still_a_job(caller: Caller) -> None:
    with applying():
        answer = caller.push(caller.campaign(), [{"email": 7}, "x", {}])

    assert (answer.status_code, answer.json()["data"]["received"], answer.json()["data"]["created"]) == (200, 3, 0)
    assert len(answer.json()["data"]["errors"]) == 3


def test_a_dry_run_gives_the_exact_answer_and_writes_nothing(caller: Caller) -> None:
    campaign = caller.campaign()
    rows = [{"email": "a@x.test", "n": 1}, {"email": "b@x.test"}, {"email": "A@x.test", "n": 2}, {"email": "no"}]
    with applying():
        caller.push(campaign, [{"email": "b@x.test"}, {"email": "stopped@x.test"}])
        sql("UPDATE lead SET status = 'stopped' WHERE email = 'stopped@x.test'")
        rows.append({"email": "stopped@x.test", "x": True})
        before = sql("SELECT lead::text FROM lead ORDER BY id"), sql("SELECT count(*) FROM job")
        key = {"Idempotency-Key": "dry"}
        dry = caller.push(campaign, rows, params={"dryRun": "true"}, headers=key)
        assert (sql("SELECT lead::text FROM lead ORDER BY id"), sql("SELECT count(*) FROM job")) == before
        wet = caller.push(campaign, rows, headers=key)

    assert dry.json()["data"] == {**wet.json()["data"], "jobId": None}
    assert "Idempotent-Replayed" not in wet.headers


def test_a_job_that_dies_meanwhile_is_told_with_its_id(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("poison")

    monkeypatch.setattr("worker.store.merging.apply_jobs", fail)
    with applying():
        answer = caller.push(caller.campaign(), [{"email": "a@x.test"}])

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "job_dead")
    assert "job_" in answer.json()["error"]["message"]


def test_a_full_backlog_refuses_until_it_is_worked_off(
    caller: Caller, new_caller: NewCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENROLL_MAX_BACKLOG_JOBS", "3")
    monkeypatch.setattr("worker.web.backlog._LOOK_EVERY_SECONDS", 0)
    settings.cache_clear()
    campaign = caller.campaign()
    pushes = [caller.push(campaign, [{"email": f"{n}@x.test"}], headers=ASYNC) for n in range(5)]
    assert [push.status_code for push in pushes] == [202, 202, 202, 429, 429]
    assert pushes[-1].json()["error"]["code"] == "backlog_full"
    assert int(pushes[-1].headers["Retry-After"]) > 0
    sql("INSERT INTO workspace (name) VALUES ('other')")
    other = new_caller("other")
    assert other.push(other.campaign(), [{"email": "a@x.test"}], headers=ASYNC).status_code == 202

    monkeypatch.setenv("ENROLL_MAX_BACKLOG_JOBS_IN_ALL", "4")
    settings.cache_clear()
    assert other.push(other.campaign(), [{"email": "b@x.test"}], headers=ASYNC).status_code == 429
    sql("UPDATE job SET status = 'dead'")
    assert caller.push(campaign, [{"email": "x@x.test"}], headers=ASYNC).status_code == 202


def test_a_key_may_call_so_many_times_a_minute(
    caller: Caller, new_caller: NewCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENROLL_RATE_LIMIT", "2")
    monkeypatch.setattr("worker.web.rate_limit.time", lambda: 90.0)
    settings.cache_clear()

    answers = [caller("GET", "/v1/campaigns") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit"] == '"key";r=1;t=30'
    assert answers[0].headers["RateLimit-Policy"] == '"key";q=2;w=60'
    assert answers[2].json()["error"]["code"] == "rate_limited"
    assert new_caller()("GET", "/v1/campaigns").status_code == 200


def test_it_accepts_with_redis_down_and_refuses_politely_with_postgresql_down(
    store: Store, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = caller.campaign()
    monkeypatch.setenv("ENROLL_REDIS_URL", "redis://127.0.0.1:1/0")
    forget_connections()
    assert caller.push(campaign, [{"email": "a@x.test"}], headers=ASYNC).status_code == 202

    store.servers.postgresql.kill()
    try:
        for path in (f"/v1/campaigns/{campaign}/leads/bulk", f"/v1/campaigns/{campaign}/start"):
            answer = caller("POST", path, json={"leads": [{"email": "b@x.test"}]}, headers=ASYNC)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        assert caller("GET", "/readyz").status_code == 503
        assert caller("GET", "/healthz").status_code == 200
    finally:
        store.servers.postgresql.start()
    assert caller.push(campaign, [{"email": "b@x.test"}], headers=ASYNC).status_code == 202
    assert caller("GET", "/readyz").status_code == 200


def test_messages_of_step_one_are_not_queued_in_a_draft(caller: Caller) -> None:
    with applying():
        caller.push(caller.campaign(), [{"email": "a@x.test"}])

    assert send_statuses(sql("SELECT id FROM campaign")[0][0]) == {}
