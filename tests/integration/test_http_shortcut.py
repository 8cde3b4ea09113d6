"""The shortcut to the bulk upsert, and FastAPI's own way to it, which a query makes a request take: one behaviour."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.http import Caller

from worker.web import shortcut

LEADS = json.dumps({"leads": [{"email": "a@x.test"}, {"email": "a@x"}]})
ASYNC = {"Prefer": "respond-async"}
NOBODY = f"/v1/campaigns/{'camp_' + '0' * 25 + '1'}/leads/bulk"

REQUESTS: dict[str, dict[str, Any]] = {
    "good": {"content": LEADS, "headers": ASYNC},
    "waits in vain": {"content": LEADS, "headers": {"Prefer": "wait=0"}},
    "with a key": {"content": LEADS, "headers": {**ASYNC, "Idempotency-Key": "k1"}},
    "with a key that is none": {"content": LEADS, "headers": {"Idempotency-Key": "k 1"}},
    "no JSON": {"content": "{"},
    "no leads": {"content": '{"leads": []}'},
    "too many leads": {"content": json.dumps({"leads": [{}] * 10_001})},
    "too large": {"content": " " * (10 * 1024 * 1024 + 1)},
    "not said to be JSON": {"content": LEADS, "headers": {"Content-Type": "text/plain"}},
    "compressed": {"content": LEADS, "headers": {"Content-Encoding": "gzip"}},
    "no such campaign": {"content": LEADS, "path": NOBODY},
    "no campaign's id": {"content": LEADS, "path": "/v1/campaigns/x/leads/bulk"},
    "an id with a slash in it": {"content": LEADS, "path": "/v1/campaigns/a%2Fb/leads/bulk"},
    "an id of two characters more": {"content": LEADS, "path": "/v1/campaigns/%C3%A4b/leads/bulk"},
    "another method": {"method": "GET"},
    "another scheme": {"content": LEADS, "headers": {"Authorization": "Basic abc"}},
    "no key": {"content": LEADS, "headers": {"Authorization": "Bearer"}},
    "a bad key": {"content": LEADS, "headers": {"Authorization": "Bearer sk_live_x"}},
}


@pytest.fixture(autouse=True)
def _no_limit_that_two_ways_would_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENROLL_RATE_LIMIT", "1000000")


def seen(caller: Caller, path: str, request: dict[str, Any]) -> Any:
    options = {"headers": {"Content-Type": "application/json"} | request.get("headers", {})}
    answer = caller(request.get("method", "POST"), path, content=request.get("content"), **options)
    headers = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "ratelimit"}}
    body = answer.json()
    job = body.get("data", {}).pop("jobId", "no job")
    if "location" in headers:
        headers["location"] = headers["location"].replace(job, "JOB")
    return answer.status_code, headers, body


@pytest.mark.parametrize("name", REQUESTS)
def test_both_ways_give_the_same_answer(new_caller: Callable[..., Caller], name: str) -> None:
    caller, request = new_caller(), REQUESTS[name]
    path = request.get("path") or f"/v1/campaigns/{caller.campaign()}/leads/bulk"

    straight, documented = seen(caller, path, request), seen(caller, f"{path}?x=1", request)

    documented[1].pop("idempotent-replayed", None)
    assert straight == documented


def test_a_key_without_the_scope_is_refused_both_ways(new_caller: Callable[..., Caller]) -> None:
    path = f"/v1/campaigns/{new_caller().campaign()}/leads/bulk"
    reader = new_caller(scopes=("read",))

    answers = [seen(reader, address, REQUESTS["good"]) for address in (path, f"{path}?x=1")]

    assert answers[0] == answers[1]
    assert answers[0][0] == 403


def test_a_plain_request_takes_the_shortcut(new_caller: Callable[..., Caller], monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    upsert = shortcut.upsert

    async def note(request: Any, campaign_id: str, key: Any) -> Any:
        taken.append(campaign_id)
        return await upsert(request, campaign_id, key)

    monkeypatch.setattr(shortcut, "upsert", note)
    caller = new_caller()
    campaign = caller.campaign()

    for query in ("", "?dryRun=true"):
        caller("POST", f"/v1/campaigns/{campaign}/leads/bulk{query}", json=json.loads(LEADS), headers=ASYNC)

    assert taken == [campaign]
