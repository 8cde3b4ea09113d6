"""Campaigns, leads and jobs over HTTP."""

from typing import Any

import pytest
from support.command_line import applying
from support.database import sql
from support.http import STEPS, Caller

from worker.web.paging import _encode

UNKNOWN = "01hx4mrqpbcn7wh2gfk9yz6e3s"


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_campaign_is_a_draft_until_it_is_started_and_paused_and_resumed(caller: Caller) -> None:
    made = caller("POST", "/v1/campaigns", json={"name": "Autumn", "sequenceSteps": STEPS})
    assert made.status_code == 201
    campaign = made.json()["data"]
    assert (campaign["status"], campaign["startedAt"]) == ("draft", None)
    assert campaign["sequenceSteps"] == [{**STEPS[0], "delayDays": 0}]
    path = f"/v1/campaigns/{campaign['id']}"
    assert caller("POST", f"{path}/pause").json()["data"]["status"] == "draft"
    caller.push(campaign["id"], [{"email": "a@x.test"}], headers={"Prefer": "respond-async"})

    started = caller("POST", f"{path}/start").json()["data"]
    assert (started["status"], started.keys()) == ("running", {"id", "status", "startedAt"})
    assert caller("POST", f"{path}/start").json()["data"] == started
    paused = caller("POST", f"{path}/pause").json()["data"]
    assert (paused["status"], paused.keys()) == ("paused", {"id", "status", "pausedAt"})
    assert caller("POST", f"{path}/start").json()["data"]["status"] == "running"
    assert caller("GET", path).json()["data"]["status"] == "running"


def test_a_campaign_without_steps_or_leads_does_not_start(caller: Caller) -> None:
    bare = caller("POST", "/v1/campaigns", json={"name": "Bare"}).json()["data"]
    assert bare["sequenceSteps"] == []
    assert code(caller("POST", f"/v1/campaigns/{bare['id']}/start")) == (400, "no_sequence_steps")
    assert code(caller("POST", f"/v1/campaigns/{caller.campaign()}/start")) == (400, "no_leads_enrolled")


def test_a_draft_can_be_changed_and_nothing_else(caller: Caller) -> None:
    campaign = caller.campaign()
    path = f"/v1/campaigns/{campaign}"

    assert caller("PATCH", path, json={"name": "New"}).json()["data"]["sequenceSteps"] != []
    changed = caller("PATCH", path, json={"sequenceSteps": [*STEPS, {**STEPS[0], "delayDays": 3}]}).json()["data"]
    assert (changed["name"], [s["delayDays"] for s in changed["sequenceSteps"]]) == ("New", [0, 3])

    caller.push(campaign, [{"email": "a@x.test"}], headers={"Prefer": "respond-async"})
    caller("POST", f"{path}/start")
    assert code(caller("PATCH", path, json={"name": "Newer"})) == (409, "campaign_not_draft")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "  "},
        {"name": "a\0b"},
        {"name": "x" * 201},
        {"name": 7},
        {"name": "A", "steps": []},
        {"name": "A", "sequenceSteps": {}},
        {"name": "A", "sequenceSteps": [{"subject": "x"}]},
        {"name": "A", "sequenceSteps": [{**STEPS[0], "delayDays": -1}]},
        {"name": "A", "sequenceSteps": [{**STEPS[0], "delayDays": 366}]},
        {"name": "A", "sequenceSteps": [{**STEPS[0], "delayDays": "1"}]},
        {"name": "A", "sequenceSteps": [{**STEPS[0], "subject": "a\nBcc: b"}]},
        {"name": "A", "sequenceSteps": STEPS * 101},
    ],
)
def test_a_campaign_that_cannot_be_is_refused_saying_where(caller: Caller, body: Any) -> None:
    refused = caller("POST", "/v1/campaigns", json=body)

    assert code(refused) == (400, "invalid_request")
    assert refused.json()["error"]["details"][0]["location"][0] == "body"


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"name": NaN}', b'{"name": "\\ud800"}', b"[" * 200_000, b""])
def test_a_body_that_is_no_json_is_refused(caller: Caller, body: bytes) -> None:
    refused = caller("POST", "/v1/campaigns", content=body, headers={"Content-Type": "application/json"})

    assert code(refused) == (400, "invalid_request")


def test_what_is_not_there_is_not_found(caller: Caller) -> None:
    campaign = caller.campaign()
    for path, expected in (
        (f"/v1/campaigns/camp_{UNKNOWN}", "campaign_not_found"),
        ("/v1/campaigns/x%00y", "campaign_not_found"),
        (f"/v1/jobs/job_{UNKNOWN}", "job_not_found"),
        (f"/v1/jobs/job_{UNKNOWN}/results", "job_not_found"),
        (f"/v1/campaigns/{campaign}/leads/a%2Fb@x.com", "lead_not_found"),
        (f"/v1/campaigns/{campaign}/leads/lead_{UNKNOWN}", "lead_not_found"),
        ("/v1/nothing", "not_found"),
    ):
        assert code(caller("GET", path)) == (404, expected), path
    assert code(caller("DELETE", "/v1/campaigns")) == (405, "method_not_allowed")


def test_lists_go_on_where_their_cursor_says(caller: Caller) -> None:
    made = [caller.campaign() for _ in range(5)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = caller("GET", "/v1/campaigns", params={"limit": 2, **cursor}).json()
        seen += [campaign["id"] for campaign in answer["data"]]
        if answer["nextCursor"] is None:
            break
        cursor = {"cursor": answer["nextCursor"]}

    assert seen == made[::-1]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=%25", "cursor=AAAA", "cursor=é"])
def test_a_part_that_cannot_be_asked_for_is_refused(caller: Caller, query: str) -> None:
    assert code(caller("GET", f"/v1/campaigns?{query}")) == (400, "invalid_request")


def test_a_lead_is_shown_with_its_enrollment_and_its_sends(caller: Caller) -> None:
    with applying():
        campaign = caller.campaign(start=True)
        caller.push(campaign, [{"email": "Zoë/x@Bücher.test", "firstName": "Zoë", "n": 1.5, "flag": False}])
        path = f"/v1/campaigns/{campaign}/leads"
        lead = caller("GET", f"{path}/ZOË%2Fx@bücher.test").json()["data"]
        assert lead["email"] == "zoë/x@xn--bcher-kva.test"
        assert (lead["firstName"], lead["company"], lead["customVariables"]) == ("Zoë", None, {"n": 1.5, "flag": False})
        assert (lead["enrollment"]["status"], lead["enrollment"]["position"]) == ("active", 1)
        assert [(send["step"], send["status"]) for send in lead["sends"]] == [(1, "queued")]
        assert caller("GET", f"{path}/{lead['id']}").json()["data"] == lead
        listed = caller("GET", path, params={"status": "active", "limit": 1}).json()
        assert [one["email"] for one in listed["data"]] == ["first@x.test"]
        rest = caller("GET", path, params={"cursor": listed["nextCursor"]}).json()["data"]
        assert [one["email"] for one in rest] == ["zoë/x@xn--bcher-kva.test"]
        assert caller("GET", path, params={"status": "stopped"}).json()["data"] == []
        stats = caller("GET", f"/v1/campaigns/{campaign}/stats").json()["data"]
    assert (stats["totalEnrolled"], stats["active"], stats["queued"], stats["delivered"]) == (2, 2, 2, 0)


def test_every_row_of_a_job_has_a_result_in_input_order(caller: Caller) -> None:
    rows = [
        {"email": "a@x.test"},
        {"email": "no"},
        {"email": "b@x.test", "n": 1},
        {"email": "A@x.test"},
        {"email": "c@x.test"},
    ]
    with applying():
        campaign = caller.campaign()
        caller.push(campaign, [{"email": "a@x.test"}, {"email": "b@x.test"}])
        job = caller.push(campaign, rows).json()["data"]["jobId"]

    results = caller("GET", f"/v1/jobs/{job}/results", params={"limit": 3}).json()
    results["data"] += caller("GET", f"/v1/jobs/{job}/results", params={"cursor": results["nextCursor"]}).json()["data"]

    assert [(row["index"], row["email"], row["action"], row["code"]) for row in results["data"]] == [
        (0, "a@x.test", "unchanged", None),
        (1, "no", "error", "invalid_email"),
        (2, "b@x.test", "updated", None),
        (3, "a@x.test", "duplicate", None),
        (4, "c@x.test", "created", None),
    ]
    ids = [row["leadId"] for row in results["data"]]
    assert ids[0] == ids[3] != ids[2]
    assert ids[1] is None

    sql("UPDATE job SET rows = NULL, row_errors = NULL, outcomes = NULL, duplicate_rows = NULL")
    assert code(caller("GET", f"/v1/jobs/{job}/results")) == (410, "results_expired")


def test_a_job_that_is_not_applied_has_no_results_and_only_a_dead_one_is_retried(caller: Caller) -> None:
    campaign = caller.campaign()
    push = caller.push(campaign, [{"email": "a@x.test"}], headers={"Prefer": "respond-async", "Idempotency-Key": "k"})
    job = push.json()["data"]["jobId"]
    assert code(caller("GET", f"/v1/jobs/{job}/results")) == (409, "job_not_applied")
    assert code(caller("POST", f"/v1/jobs/{job}/retry")) == (409, "job_not_dead")
    sql("UPDATE job SET status = 'dead', last_error = 'poison', finished_at = now()")

    anew = caller("POST", f"/v1/jobs/{job}/retry")

    assert (anew.status_code, anew.json()["data"]["status"]) == (202, "accepted")
    assert anew.json()["data"]["id"] != job
    listed = caller("GET", "/v1/jobs", params={"status": "dead", "campaignId": campaign, "idempotencyKey": "k"}).json()
    assert [(one["id"], one["lastError"]) for one in listed["data"]] == [(job, "poison")]


def test_a_cursor_of_another_list_is_refused(caller: Caller) -> None:
    assert code(caller("GET", "/v1/jobs", params={"cursor": _encode("camp_x")})) == (400, "invalid_request")


def test_every_answer_carries_its_request_id(caller: Caller) -> None:
    assert caller("GET", "/v1/campaigns", headers={"X-Request-Id": "mine-1"}).headers["X-Request-Id"] == "mine-1"
    made_up = caller("GET", "/v1/nothing", headers={"X-Request-Id": "a b"}).headers["X-Request-Id"]
    assert len(made_up) == 32
