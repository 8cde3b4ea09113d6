"""`GET /v1/sources/{id}/deliveries`: so that a person can see why nothing arrives."""

import pytest
from support.database import sql
from support.http import Caller
from support.webhooks import Sender, standard_headers

from worker.web import refusals

BODY = b'{"data": [{"email":"a@x.test"}]}'


def test_a_flood_of_bad_signatures_is_one_row_and_hides_nothing(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(caller)
    sender.send("a@x.test")
    monkeypatch.setattr(refusals, "_WRITE_EVERY_SECONDS", 0)
    for _ in range(60):
        sender.deliver(BODY, {"Webhook-Id": "x"})

    assert [(d["outcome"], d["detail"], d["times"]) for d in sender.deliveries()] == [
        ("refused", "the header webhook-timestamp is missing", 60),
        ("accepted", None, 1),
    ]


def test_refusals_are_written_once_a_second_and_none_is_forgotten(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(caller)
    monkeypatch.setattr(refusals, "_WRITE_EVERY_SECONDS", 3_600)
    for _ in range(9):
        sender.deliver(BODY, {})
    assert [d["times"] for d in sender.deliveries()] == [1]

    monkeypatch.setattr(refusals, "_WRITE_EVERY_SECONDS", 0)
    sender.deliver(BODY, {})
    assert [d["times"] for d in sender.deliveries()] == [10]


def test_the_last_fifty_deliveries_are_kept(caller: Caller) -> None:
    sender, other = Sender(caller), Sender(caller)
    other.send("a@x.test")
    for number in range(55):
        sender.send(f"{number}@x.test", message_id=f"msg_{number}")
    newest = sender.deliveries()[0]

    assert caller("GET", f"/v1/jobs/{newest['jobId']}").json()["data"]["idempotencyKey"] == f"{sender.id}:msg_54"
    assert sender.outcomes() == ["accepted"] * 50
    assert sql("SELECT count(*) FROM source_delivery") == [(51,)], "those of another source stay"


@pytest.mark.parametrize(
    ("body", "status", "outcome", "detail"),
    [
        (b'{"data": []}', 202, "no_leads", "leadsPath finds no leads in this payload"),
        (b"{}", 202, "no_leads", "leadsPath finds no leads in this payload"),
        (b'{"data": 5}', 400, "invalid_request", "leadsPath finds neither a list nor an object"),
        (b"not json", 400, "invalid_request", "not JSON"),
        (b'{"data": [{"email": NaN}]}', 400, "invalid_request", "not JSON"),
        (b'{"data": [{"email": "x@"}]}', 202, "accepted", "1 of 1 rows were not taken: row 0: email is not an address"),
        (b'{"data": {"email": "a@x.test", "name": 5}}', 202, "accepted", "row 0: firstName must be a string or null"),
    ],
)
def test_a_person_sees_why_nothing_arrives(caller: Caller, body: bytes, status: int, outcome: str, detail: str) -> None:
    sender = Sender(caller)

    answer = sender.deliver(body, standard_headers(sender.secret, body))

    assert answer.status_code == status
    assert sender.outcomes() == [outcome]
    assert detail in sender.deliveries()[0]["detail"]
    assert sql("SELECT count(*) FROM job") == [(int(outcome == "accepted"),)]


def test_an_expression_that_fails_fails_its_row_and_says_why(caller: Caller) -> None:
    sender = Sender(caller, mapping={"email": "email", "firstName": "join(' ', [first, last])"})
    body = b'{"data": [{"email": "a@x.test", "first": "A"}, {"email": "b@x.test", "first": "B", "last": "B"}]}'

    answer = sender.deliver(body, standard_headers(sender.secret, body))

    assert [error["index"] for error in answer.json()["data"]["errors"]] == [0]
    assert sender.deliveries()[0]["detail"] == (
        "1 of 2 rows were not taken: row 0, firstName: join() takes array of string, this is null"
    )


def test_a_delivery_that_cannot_be_written_down_is_taken_all_the_same(caller: Caller) -> None:
    sender = Sender(caller)
    sql("DROP TABLE source_delivery")

    assert sender.send("a@x.test").status_code == 202
    assert sender.deliver(BODY, {}).status_code == 401
    assert sql("SELECT count(*) FROM job") == [(1,)]
