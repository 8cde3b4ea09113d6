"""`POST /hooks/{src_id}`: verified over the raw bytes, mapped, accepted, answered."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import forget_connections
from support.command_line import applying
from support.database import sql, stored_leads
from support.http import Caller
from support.polling import until
from support.webhooks import Sender, hmac_headers, standard_headers

from domain.identifiers import row_key
from domain.signature import fault_of_signature
from worker.web import backlog, hooks

GITHUB = {"scheme": "hmac", "header": "X-Hub-Signature-256", "prefix": "sha256=", "idHeader": "X-GitHub-Delivery"}
TYPEFORM = {"scheme": "hmac", "header": "Typeform-Signature", "encoding": "base64", "prefix": "sha256="}
BODY = b'{"data": [{"email":"a@x.test"}]}'


def jobs() -> list[tuple[str, int]]:
    """The keys of all jobs, and how many rows came with each."""
    return [tuple(row) for row in sql("SELECT key_space || ' ' || idempotency_key, received FROM job ORDER BY id")]


def stored(sender: Sender) -> dict[str, Any]:
    key = row_key("camp", sender.campaign)
    return {email: fields.standard["firstName"] for email, fields in stored_leads(key.number if key else 0).items()}


def test_a_delivery_becomes_a_job_and_its_leads_are_enrolled(caller: Caller) -> None:
    sender = Sender(caller)
    body = json.dumps({"data": [{"email": "Zoë@x.test", "name": "Zoë"}, {"email": "b@x.test"}]}).encode()
    with applying():
        answer = sender.deliver(body, standard_headers(sender.secret, body))
        told = answer.json()["data"]
        until(lambda: len(stored(sender)) == 2)

    assert answer.status_code == 202
    assert (told["status"], told["received"], told["errors"]) == ("accepted", 2, [])
    assert answer.headers["Location"] == f"/v1/jobs/{told['jobId']}"
    assert caller("GET", answer.headers["Location"]).json()["data"]["campaignId"] == sender.campaign
    assert stored(sender) == {"zoë@x.test": "Zoë", "b@x.test": None}
    assert jobs() == [(f"hook {sender.id}:msg_1", 2)]


def test_the_answer_waits_for_nobody(caller: Caller) -> None:
    sender = Sender(caller)

    assert sender.send("a@x.test").status_code == 202
    assert sql("SELECT status FROM job") == [("accepted",)], "no worker is there"


def test_the_same_id_again_is_the_same_job(caller: Caller) -> None:
    sender = Sender(caller)

    first, again = sender.send("a@x.test", at=1), sender.send("a@x.test", at=2)

    assert again.status_code == 202
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert len(jobs()) == 1
    assert sender.outcomes() == ["replayed", "accepted"]
    assert {delivery["jobId"] for delivery in sender.deliveries()} == {first.json()["data"]["jobId"]}
    found = caller("GET", "/v1/jobs", params={"idempotencyKey": f"{sender.id}:msg_1"}).json()["data"]
    assert [job["id"] for job in found] == [first.json()["data"]["jobId"]]


def test_the_same_id_with_other_leads_is_refused_because_they_would_be_lost(caller: Caller) -> None:
    sender = Sender(caller)
    sender.send("a@x.test")

    assert sender.send("b@x.test").json()["error"]["code"] == "idempotency_key_reused"
    assert sender.outcomes() == ["idempotency_key_reused", "accepted"]
    assert sender.send("b@x.test", message_id="msg_2").status_code == 202


def test_the_same_id_of_two_sources_is_two_jobs(caller: Caller) -> None:
    one = Sender(caller)
    other = Sender(caller, one.campaign)

    one.send("a@x.test")
    other.send("a@x.test")

    assert sorted(jobs()) == sorted((f"hook {sender.id}:msg_1", 1) for sender in (one, other))


def test_an_id_of_any_characters_and_length_is_an_id(caller: Caller) -> None:
    sender = Sender(caller, **{**TYPEFORM, "idPath": "id"})
    for message_id in ("a b", "ü" * 500, "a b"):
        body = json.dumps({"data": [{"email": "a@x.test"}], "id": message_id}).encode()
        headers = hmac_headers("typeform-signature", sender.secret, body, encoding="base64", prefix="sha256=")
        assert sender.deliver(body, headers).status_code == 202

    assert sender.outcomes() == ["replayed", "accepted", "accepted"]


def test_a_delivery_of_github_is_known_by_its_header(caller: Caller) -> None:
    sender = Sender(caller, **GITHUB, secret="It's a Secret to Everybody")
    signed = hmac_headers("X-Hub-Signature-256", sender.secret, BODY, prefix="sha256=")
    for delivery in ("1", "1", "2"):
        assert sender.deliver(BODY, {**signed, "X-GitHub-Delivery": delivery}).status_code == 202

    assert jobs() == [(f"hook {sender.id}:1", 1), (f"hook {sender.id}:2", 1)]


def test_a_delivery_of_typeform_is_known_by_its_payload(caller: Caller) -> None:
    rules = {"idPath": "event_id", "leadsPath": "form_response", "mapping": {"email": "answers[0].email"}}
    sender = Sender(caller, **TYPEFORM, **rules)
    body = b'{"event_id":"LtWXD3crgy","form_response":{"answers":[{"type":"email","email":"a@x.test"}]}}'
    signed = hmac_headers("Typeform-Signature", sender.secret, body, encoding="base64", prefix="sha256=")

    assert sender.deliver(body, signed).status_code == 202
    assert jobs() == [(f"hook {sender.id}:LtWXD3crgy", 1)]


def test_without_an_id_the_same_body_is_the_same_job_for_a_day(caller: Caller) -> None:
    sender = Sender(caller, **{**GITHUB, "idHeader": None})
    signed = hmac_headers("X-Hub-Signature-256", sender.secret, BODY, prefix="sha256=")

    first = sender.deliver(BODY, signed).json()["data"]["jobId"]
    sql("UPDATE job SET created_at = created_at - interval '23 hours 59 minutes'")
    assert sender.deliver(BODY, signed).headers["Idempotent-Replayed"] == "true"
    sql("UPDATE job SET created_at = created_at - interval '2 minutes'")
    with ThreadPoolExecutor(10) as callers:
        answers = list(callers.map(lambda _: sender.deliver(BODY, signed), range(10)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["data"]["jobId"] for answer in answers} - {first}) == 1, "a new job, and only one"
    assert [key.startswith(f"hook {sender.id}=") for key, _ in jobs()] == [True, True]


def test_with_an_id_a_job_is_the_same_for_ever(caller: Caller) -> None:
    sender = Sender(caller)
    sender.send("a@x.test")
    sql("UPDATE job SET created_at = created_at - interval '300 days'")

    assert sender.send("a@x.test").headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("place", [0, 10, -1])
def test_a_changed_byte_is_refused(caller: Caller, place: int) -> None:
    sender = Sender(caller)
    changed = bytearray(BODY)
    changed[place] ^= 1

    assert sender.deliver(bytes(changed), standard_headers(sender.secret, BODY)).status_code == 401
    assert sender.deliver(BODY + b"\n", standard_headers(sender.secret, BODY)).status_code == 401
    assert jobs() == []


@pytest.mark.parametrize("seconds_off", [-310, 310])
def test_a_delivery_older_than_five_minutes_is_refused_and_one_from_the_future(
    caller: Caller, seconds_off: int
) -> None:
    sender = Sender(caller)

    assert sender.deliver(BODY, standard_headers(sender.secret, BODY, seconds_off=seconds_off)).status_code == 401
    assert sender.deliveries()[0]["detail"] == "webhook-timestamp is not within 5 minutes of now"
    assert jobs() == []


def test_one_of_several_signatures_is_enough(caller: Caller) -> None:
    sender = Sender(caller)
    other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    assert sender.deliver(BODY, standard_headers(sender.secret, BODY, others=(other, other))).status_code == 202


def test_a_bad_signature_an_unknown_source_and_a_disabled_one_answer_alike(caller: Caller) -> None:
    good, disabled = Sender(caller), Sender(caller)
    disabled.act("disable")
    unknown = good.made["url"].replace(good.id, "src_01hx4mrqpbcn7wh2gfk9yz6e3s")
    signed = standard_headers(good.secret, BODY)
    answers = [
        good.deliver(BODY, {**signed, "Webhook-Signature": "v1,bad"}),
        good.deliver(b"no json", signed),
        good.deliver(BODY, {}),
        disabled.deliver(BODY, standard_headers(disabled.secret, BODY)),
        caller._client.post(unknown, content=BODY, headers=signed),
        caller._client.post("/hooks/nonsense", content=BODY, headers=signed),
    ]

    told = {(a.status_code, a.text, *sorted(k for k in a.headers if k != "x-request-id")) for a in answers}
    assert len(told) == 1
    assert answers[0].json()["error"]["code"] == "authentication_failed"
    assert jobs() == []
    assert [d["detail"] for d in disabled.deliveries()] == ["the source is disabled"]


def test_a_known_source_costs_no_more_hashing_than_an_unknown_one(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets: list[int] = []

    def watched(seal: Any, *arguments: Any) -> str | None:
        secrets.append(len(seal.secrets))
        return fault_of_signature(seal, *arguments)

    monkeypatch.setattr(hooks, "fault_of_signature", watched)
    sender = Sender(caller)
    sender.deliver(BODY, {})
    sender.act("rotate")
    sender.deliver(BODY, {})
    caller._client.post("/hooks/src_01hx4mrqpbcn7wh2gfk9yz6e3s", content=BODY)

    assert secrets == [2, 2, 2]


def test_more_leads_or_bytes_than_the_limits_are_refused(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENROLL_MAX_LEADS", "2")
    monkeypatch.setenv("ENROLL_MAX_BODY_BYTES", "1024")
    forget_connections()
    sender = Sender(caller)

    assert sender.send("a@x.test", "b@x.test", "c@x.test").status_code == 413
    assert sender.outcomes() == ["payload_too_large"]
    assert sender.deliver(b"x" * 1_025, {}).status_code == 413


def test_too_many_jobs_waiting_are_told_to_come_later(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENROLL_MAX_BACKLOG_JOBS", "1")
    monkeypatch.setattr(backlog, "_LOOK_EVERY_SECONDS", 0)
    forget_connections()
    sender = Sender(caller)
    assert sender.send("a@x.test").status_code == 202

    answer = sender.send("b@x.test", message_id="msg_2")

    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "backlog_full")
    assert answer.headers["Retry-After"]
    assert sender.outcomes() == ["backlog_full", "accepted"]


def test_with_postgresql_out_of_reach_the_sender_is_told_to_try_again(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(caller)
    monkeypatch.setenv("ENROLL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    forget_connections()

    for url in (sender.made["url"], "/hooks/src_01hx4mrqpbcn7wh2gfk9yz6e3s"):
        answer = caller._client.post(url, content=BODY, headers=standard_headers(sender.secret, BODY))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"]


def of_what_was_parsed(seal: Any, headers: Mapping[str, str], body: bytes, now: Any) -> str | None:
    return fault_of_signature(seal, headers, json.dumps(json.loads(body), separators=(",", ":")).encode(), now)


def of_the_first_signature(seal: Any, headers: Mapping[str, str], body: bytes, now: Any) -> str | None:
    first = headers.get("webhook-signature", "").partition(" ")[0]
    return fault_of_signature(seal, {**headers, "webhook-signature": first}, body, now)


@pytest.mark.parametrize("twin", [of_what_was_parsed, of_the_first_signature])
def test_a_check_of_something_else_is_found(caller: Caller, monkeypatch: pytest.MonkeyPatch, twin: Any) -> None:
    """The broken twins."""
    monkeypatch.setattr(hooks, "fault_of_signature", twin)
    with pytest.raises(AssertionError):
        test_one_of_several_signatures_is_enough(caller)
