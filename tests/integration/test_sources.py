"""`/v1/sources`: made, looked at, tried out, given another secret, disabled."""

from typing import Any

import pytest
from support.command_line import applying
from support.database import sql
from support.http import Caller, NewCaller
from support.webhooks import Sender, standard_headers

from worker.store import workspaces

BODY = b'{"data": [{"email": "a@x.test"}]}'
OWN_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def takes(sender: Sender, secret: str) -> bool:
    """Whether a delivery signed with this secret is taken."""
    return sender.deliver(BODY, standard_headers(secret, BODY)).status_code == 202


def test_a_source_is_made_with_its_url_and_its_secret(caller: Caller) -> None:
    sender = Sender(caller)

    assert sender.id.startswith("src_")
    assert sender.made["url"] == f"http://testserver/hooks/{sender.id}"
    assert sender.secret.startswith("whsec_")
    assert sender.made["campaignId"] == sender.campaign
    assert sender.made["disabledAt"] is None


def test_the_secret_is_shown_once(caller: Caller) -> None:
    sender = Sender(caller)
    looks = ("/v1/sources", f"/v1/sources/{sender.id}", f"/v1/sources/{sender.id}/deliveries")

    assert [sender.secret in caller("GET", path).text for path in looks] == [False, False, False]
    assert "secret" not in caller("GET", f"/v1/sources/{sender.id}").json()["data"]
    assert sender.secret not in sender.act("disable").text
    assert sender.secret not in sender.act("rotate").text


def test_two_sources_have_two_secrets_and_a_caller_may_bring_its_own(caller: Caller) -> None:
    assert Sender(caller).secret != Sender(caller).secret
    assert Sender(caller, secret=OWN_SECRET).secret == OWN_SECRET
    assert len(Sender(caller, scheme="hmac", header="X-Signature").secret) == 64


def test_sources_are_listed_newest_first_and_shown_one_by_one(caller: Caller) -> None:
    made = [Sender(caller).id for _ in range(3)]

    first = caller("GET", "/v1/sources", params={"limit": 2}).json()
    rest = caller("GET", "/v1/sources", params={"limit": 2, "cursor": first["nextCursor"]}).json()

    assert [source["id"] for source in first["data"] + rest["data"]] == made[::-1]
    assert rest["nextCursor"] is None
    assert caller("GET", f"/v1/sources/{made[0]}").json()["data"] == rest["data"][0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"leadsPath": "a["}, "leadsPath: this is no JMESPath expression: Invalid jmespath expression: Incomplete"),
        ({"mapping": {"email": "nope(x)"}}, "there is no function nope()"),
        ({"leadsPath": "a" * 1_001}, "at most 1,000 characters"),
        ({"secret": "whsec_short"}, "24 to 64 bytes in base64"),
        ({"scheme": "hmac"}, "hmac needs header"),
        ({"name": ""}, "name"),
        ({"name": "a\0"}, "name"),
        ({"leadsPath": "'\0'"}, "NUL"),
    ],
    ids=str,
)
def test_a_source_that_cannot_work_is_refused_with_the_reason(
    caller: Caller, change: dict[str, Any], reason: str
) -> None:
    given = {"name": "s", "campaignId": caller.campaign(), "scheme": "standard", "leadsPath": "@", "mapping": {}}

    answer = caller("POST", "/v1/sources", json={**given, **change})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert reason in answer.json()["error"]["message"]
    assert "whsec_short" not in answer.text
    assert sql("SELECT count(*) FROM source") == [(0,)]


def test_both_secrets_are_good_while_they_overlap(caller: Caller) -> None:
    sender = Sender(caller)

    new = sender.act("rotate", json={"overlapHours": 2}).json()["data"]

    assert new["secret"] != sender.secret
    assert new["previousSecretUntil"] > new["createdAt"]
    assert [takes(sender, secret) for secret in (sender.secret, new["secret"])] == [True, True]
    sql("UPDATE source SET previous_secret_until = now() - interval '1 second'")
    assert [takes(sender, secret) for secret in (sender.secret, new["secret"])] == [False, True]


def test_a_secret_overlaps_for_a_day_by_default_or_not_at_all(caller: Caller) -> None:
    sender = Sender(caller)
    sender.act("rotate")
    assert sql("SELECT previous_secret_until - now() > interval '23 hours' FROM source") == [(True,)]

    newest = sender.act("rotate", json={"overlapHours": 0}).json()["data"]

    assert newest["previousSecretUntil"] is None
    assert [takes(sender, secret) for secret in (sender.secret, newest["secret"])] == [False, True]


def test_the_secret_before_the_previous_one_is_good_no_more(caller: Caller) -> None:
    sender = Sender(caller)
    second = sender.act("rotate").json()["data"]["secret"]
    third = sender.act("rotate", json={"secret": OWN_SECRET}).json()["data"]["secret"]

    assert third == OWN_SECRET
    assert [takes(sender, secret) for secret in (sender.secret, second, third)] == [False, True, True]


@pytest.mark.parametrize("given", [{"overlapHours": -1}, {"overlapHours": 169}, {"secret": "x"}, {"x": 1}], ids=str)
def test_a_rotation_that_cannot_be_is_refused_and_changes_nothing(caller: Caller, given: dict[str, Any]) -> None:
    sender = Sender(caller)

    assert sender.act("rotate", json=given).status_code == 400
    assert sql("SELECT secret, previous_secret FROM source") == [(sender.secret, None)]


def test_a_disabled_source_takes_nothing_until_it_is_enabled(caller: Caller) -> None:
    sender = Sender(caller)
    first = sender.act("disable").json()["data"]["disabledAt"]

    assert first is not None
    assert sender.act("disable").json()["data"]["disabledAt"] == first
    assert not takes(sender, sender.secret)
    assert sender.act("enable").json()["data"]["disabledAt"] is None
    assert takes(sender, sender.secret)


def everything() -> list[Any]:
    tables = ("source", "source_delivery", "job", "lead", "send", "campaign")
    return [sql(f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]


def test_a_preview_shows_what_a_payload_would_become_and_writes_nothing(caller: Caller) -> None:
    mapping = {"email": "mail", "firstName": "join(' ', [first, last])", "x": "to_number(x)"}
    sender = Sender(caller, scheme="hmac", header="X-Signature", idPath="id", mapping=mapping)
    with applying():
        caller.push(sender.campaign, [{"email": "a@x.test"}])
    before = everything()
    rows = [
        {"mail": "A@x.test", "first": "A", "last": "B"},
        {"mail": "b@x.test", "first": "A"},
        {"mail": "c@x.test", "first": "C", "last": "D", "x": "inf"},
        {"mail": "d@x.test", "first": "D", "last": "E"},
    ]

    told = sender.act("preview", json={"id": 7, "data": rows}).json()["data"]

    assert told["leads"] == [
        {"email": "A@x.test", "firstName": "A B"},
        {"email": "b@x.test", "firstName": {"fault": "join() takes array of string, this is null"}},
        {"email": "c@x.test", "firstName": "C D", "x": None},
        {"email": "d@x.test", "firstName": "D E"},
    ]
    assert [(error["index"], error["field"]) for error in told["errors"]] == [(1, "firstName"), (2, "x")]
    assert [told[name] for name in ("received", "created", "updated", "unchanged", "enrolled")] == [4, 1, 1, 0, 2]
    assert told["messageId"] == "7"
    assert everything() == before


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": {"data": 5}}, 400),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"json": {"data": []}}, 200),
        ({"json": {"data": [{}] * 10_001}}, 413),
    ],
    ids=["no list", "no json", "no json type", "no leads", "too many"],
)
def test_a_preview_refuses_what_a_delivery_would_be_refused_for(
    caller: Caller, options: dict[str, Any], status: int
) -> None:
    assert Sender(caller).act("preview", **options).status_code == status


def test_a_key_that_may_only_read_looks_and_changes_nothing(caller: Caller, new_caller: NewCaller) -> None:
    sender = Sender(caller)
    reader = new_caller(scopes=("read",))

    looks = [reader("GET", f"/v1/sources{end}") for end in ("", f"/{sender.id}", f"/{sender.id}/deliveries")]
    changes = [reader("POST", f"/v1/sources/{sender.id}/{action}") for action in ("rotate", "disable", "enable")]

    assert {answer.status_code for answer in looks} == {200}
    assert reader("POST", f"/v1/sources/{sender.id}/preview", json={"data": []}).status_code == 200
    assert {answer.status_code for answer in changes} == {403}
    assert takes(sender, sender.secret)


def test_a_source_of_another_workspace_does_not_exist(caller: Caller, new_caller: NewCaller) -> None:
    sender = Sender(caller)
    workspaces.create_workspace("other")
    other = new_caller("other")
    path = f"/v1/sources/{sender.id}"
    answers = [
        other("GET", path),
        other("GET", f"{path}/deliveries"),
        other("POST", f"{path}/preview", json={}),
        *(other("POST", f"{path}/{action}") for action in ("rotate", "disable", "enable")),
    ]

    assert {(a.status_code, a.json()["error"]["code"]) for a in answers} == {(404, "source_not_found")}
    assert other("GET", "/v1/sources").json()["data"] == []
    given = {"name": "s", "campaignId": sender.campaign, "scheme": "standard", "leadsPath": "@", "mapping": {}}
    assert other("POST", "/v1/sources", json=given).json()["error"]["code"] == "campaign_not_found"
    assert takes(sender, sender.secret)
