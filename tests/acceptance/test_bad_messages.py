"""Bad input at the queue: a named row error or a dead letter, never a traceback, and its neighbours are unharmed.

The producer is Celery with no code of ours, or somebody who pushes onto the list in Redis by hand.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from itertools import count
from typing import Any, NamedTuple

import pytest
from celery import Celery
from conftest import Store
from redis import Redis
from support.database import job_statuses, send_statuses, sql, stored_leads
from support.fleet import Workers
from support.polling import until

from domain.sequence import SequenceStep
from worker.store import campaigns
from worker.store.tables import Campaign

NewCampaign = Callable[..., Campaign]

BULK_UPSERT = "leads.bulk_upsert"
SECRET = "Quetzalcoatl-7731"  # in every message, as a lead's value: no log may show it
NOBODY = "camp_01hx4mrqpb0000000000000001"


@pytest.fixture
def producer(store: Store) -> Any:
    return Celery(broker=store.servers.valkey.url)


@pytest.fixture
def workers(store: Store) -> Iterator[Workers]:
    with Workers(store.data_dir, concurrency=1) as started:
        yield started


def lead(name: object, **values: object) -> dict[str, object]:
    return {"email": f"{name}@x.test", "v": SECRET, **values}


def assert_nothing_was_shaken(workers: Workers) -> None:
    log = workers.log.read_text(errors="replace")
    assert workers.is_alive()
    assert log.count(" ready.") == 1
    assert "Connection to broker lost" not in log
    assert "Traceback" not in log
    assert SECRET not in log


# Rows

TYPED = {"__type__": "datetime", "__value__": SECRET}
BAD_ROWS: list[tuple[object, str]] = [
    ({"firstName": SECRET}, "missing_email"),
    ({"email": " \u200b"}, "missing_email"),
    ({"email": SECRET}, "invalid_email"),
    ({"email": f"{SECRET}@x.test\r\nBcc: eve@x.test"}, "invalid_email"),
    ({"email": f"{SECRET}@x.test, eve@x.test"}, "invalid_email"),
    ({"email": f"{SECRET}\0@x.test"}, "invalid_character"),
    ({"email": [SECRET]}, "invalid_type"),
    (SECRET, "invalid_type"),
    (7, "invalid_type"),
    (None, "invalid_type"),
    ([lead("listed")], "invalid_type"),
    (lead("bad", firstName=7), "invalid_type"),
    (lead("bad", company={"name": SECRET}), "invalid_type"),
    (lead("bad", nested={"deep": SECRET}), "invalid_type"),
    (lead("bad", nested=[SECRET]), "invalid_type"),
    (lead("bad", nested=TYPED), "invalid_type"),
    (lead("bad", **{f"v{n}": n for n in range(200)}), "too_many_variables"),
    (lead("bad", w=f"{SECRET}\0"), "invalid_character"),
    (lead("bad", jobTitle="\0"), "invalid_character"),
    (lead("bad", **{"n\0": SECRET}), "invalid_character"),
    (lead("bad", **{"{{x}}": SECRET}), "invalid_variable_name"),
    (lead("bad", **{"x\r\nBcc": SECRET}), "invalid_variable_name"),
    (lead("bad", w="x" * 8_193), "value_too_long"),
    (lead("bad", firstName="x" * 1_001), "value_too_long"),
    (lead("bad", **{f"v{n}": "x" * 8_000 for n in range(9)}), "lead_too_large"),
]
GOOD_ROWS = [lead(f"good{n}") for n in range(len(BAD_ROWS))]
ROWS = [row for good, (bad, _) in zip(GOOD_ROWS, BAD_ROWS, strict=True) for row in (good, bad)]
ROWS += [lead("typed", **TYPED), lead("said twice", n=1), lead("token", firstName="{{company}}")]
ROW_ERRORS = [(2 * n + 1, code) for n, (_, code) in enumerate(BAD_ROWS)] + [(len(ROWS) - 2, "invalid_email")]

SHAPES: list[Callable[[str, object], dict[str, Any]]] = [
    lambda campaign_id, leads: {"kwargs": {"campaign_id": campaign_id, "leads": leads}},
    lambda campaign_id, leads: {"args": [campaign_id, leads]},
]


@pytest.mark.parametrize("write", [json.dumps, list], ids=["text", "list"])
def test_bad_rows_are_row_errors_of_their_job_and_the_rows_beside_them_are_applied(
    new_campaign: NewCampaign, producer: Any, workers: Workers, write: Callable[[Any], object]
) -> None:
    for shape in SHAPES:
        campaign = new_campaign()

        producer.send_task(BULK_UPSERT, queue="enrollment", **shape(campaign.public_id, write(ROWS)))

        until(lambda c=campaign: job_statuses(c.number) == {"applied": 1}, what="the job's being applied")
        (errors,) = sql("SELECT row_errors FROM job WHERE campaign_id = :campaign", campaign=campaign.number)[0]
        assert [(error["index"], error["code"]) for error in errors] == ROW_ERRORS
        stored = stored_leads(campaign.number)
        assert stored.keys() == {row["email"] for row in GOOD_ROWS} | {"typed@x.test", "token@x.test"}
        assert stored["typed@x.test"].variables == {"v": SECRET, **TYPED}
        assert stored["token@x.test"].standard["firstName"] == "{{company}}"
    assert_nothing_was_shaken(workers)


# Messages


class BadMessage(NamedTuple):
    """What a producer sends instead of a usable `leads.bulk_upsert`, and the reason it is buried for."""

    reason: str
    kwargs: Mapping[str, object] = {}
    args: tuple[object, ...] = ()
    task: str = BULK_UPSERT
    options: Mapping[str, object] = {}


def leads_of(campaign_id: str, *bad_leads: object) -> list[BadMessage]:
    return [BadMessage("invalid_request", {"campaign_id": campaign_id, "leads": leads}) for leads in bad_leads]


def unusable_leads(campaign_id: str) -> list[BadMessage]:
    """Requests that are refused as a whole, as text and as a list."""
    nested: object = SECRET
    for _ in range(70):
        nested = [nested]
    as_text = [
        "",
        SECRET,
        "[{",
        "{}",
        "null",
        f'"{SECRET}"',
        "[]",
        '[{"email":"bad@x.test","v":NaN}]',
        '[{"email":"bad@x.test","v":-Infinity}]',
        '[{"email":"bad@x.test","v":"\\ud800"}]',
        '[{"email":"bad@x.test","v":"\ud800"}]',
        '[{"email":"bad@x.test","v":%s}]' % ("9" * 5_000),
        json.dumps([lead("bad", v=nested)]),
        "[" * 100_000,
    ]
    as_list = [
        None,
        7,
        {"email": "bad@x.test"},
        [],
        [lead("bad", w=float("nan"))],
        [lead("bad", w=float("inf"))],
        [lead("bad", w="\ud800")],
        [lead("bad", w=10**4_100)],
        [lead("bad", w=nested)],
    ]
    return leads_of(campaign_id, *as_text, *as_list)


def too_much(campaign_id: str) -> list[BadMessage]:
    many = [lead(n) for n in range(10_001)]
    long = json.dumps([lead("bad", w="x" * 10 * 1024 * 1024)])
    return [
        BadMessage("payload_too_large", {"campaign_id": campaign_id, "leads": leads})
        for leads in (many, json.dumps(many), long)
    ]


def wrong_arguments(campaign_id: str, used_key: str) -> list[BadMessage]:
    leads = json.dumps([lead("bad")])
    return [
        BadMessage("invalid_request"),
        BadMessage("invalid_request", {"leads": leads}),
        BadMessage("invalid_request", {"campaign_id": 7, "leads": leads}),
        BadMessage("invalid_request", {"campaign_id": [campaign_id], "leads": leads}),
        BadMessage("invalid_request", {"campaignId": campaign_id, "leads": leads}),
        BadMessage("invalid_request", {"campaign_id": "camp_\ud800", "leads": leads}),
        BadMessage("campaign_not_found", {"campaign_id": NOBODY, "leads": leads}),
        BadMessage("campaign_not_found", {"campaign_id": "camp_\0\r\n", "leads": leads}),
        BadMessage("campaign_not_found", args=(leads, leads)),  # a log that names the campaign would quote leads
        *(
            BadMessage("invalid_request", {"campaign_id": campaign_id, "leads": leads, "idempotency_key": key})
            for key in ("", 7, "two words", "é", "x" * 256, "\0")
        ),
        BadMessage("idempotency_key_reused", {"campaign_id": campaign_id, "leads": leads, "idempotency_key": used_key}),
        BadMessage("invalid_message", {"campaign_id": campaign_id, "leads": leads, "self": SECRET}),
        BadMessage("unknown_task", {"leads": leads}, task="leads.upsert"),
        BadMessage("unreadable", {"campaign_id": campaign_id, "leads": leads}, options={"serializer": "pickle"}),
        BadMessage("campaign_not_found", {"campaign_id": NOBODY, "leads": leads}, task="leads.apply"),
        BadMessage("campaign_not_found", {"campaign_id": NOBODY, "leads": leads}, task="sequencer.release"),
    ]


def mark_of(number: int) -> str:
    return f"mark-{number}"


def buried(redis: Redis) -> dict[str, str]:
    """The reason code of each dead letter by the mark of its message."""
    letters = [(fields[b"reason"], fields[b"entry"].decode()) for _, fields in redis.xrange("enrollment:dead")]
    found = {re.findall(r"mark-\d+", entry)[0]: reason.decode().partition(":")[0] for reason, entry in letters}
    assert len(found) == len(letters), "each bad message is buried once"
    return found


def test_messages_that_cannot_be_jobs_are_buried_with_the_reason_and_the_others_are_applied(
    store: Store, new_campaign: NewCampaign, producer: Any, workers: Workers
) -> None:
    campaign = new_campaign()
    campaign_id = campaign.public_id
    bad = [*unusable_leads(campaign_id), *too_much(campaign_id), *wrong_arguments(campaign_id, used_key="key-0")]

    def send_good(number: int) -> None:
        leads = json.dumps([lead(number), {"email": SECRET}])
        kwargs = {"campaign_id": campaign_id, "leads": leads, "idempotency_key": f"key-{number}"}
        producer.send_task(BULK_UPSERT, kwargs=kwargs, queue="enrollment")

    send_good(0)
    until(lambda: job_statuses(campaign.number) == {"applied": 1}, what="the first use of a key")
    for number, message in enumerate(bad, start=1):
        kwargs = {**message.kwargs, "mark": mark_of(number)}
        producer.send_task(message.task, message.args, kwargs, queue="enrollment", **message.options)
        send_good(number)

    until(lambda: store.redis.xlen("enrollment:dead") == len(bad), what="every bad message's being buried")
    assert buried(store.redis) == {mark_of(number): message.reason for number, message in enumerate(bad, start=1)}
    until(lambda: job_statuses(campaign.number) == {"applied": len(bad) + 1}, what="every good message's being applied")
    assert stored_leads(campaign.number).keys() == {f"{number}@x.test" for number in range(len(bad) + 1)}
    assert_nothing_was_shaken(workers)


# Envelopes, pushed by hand

_tags = count()


def as_base64(body: object) -> str:
    return base64.b64encode(body if isinstance(body, bytes) else json.dumps(body).encode()).decode()


def call(campaign_id: str, name: object, **kwargs: object) -> list[Any]:
    return [[], {"campaign_id": campaign_id, "leads": [lead(name)], **kwargs}, {}]


def envelope(body: object, headers: Mapping[str, object] | None = None, /, **outer: object) -> dict[str, Any]:
    """A message as kombu lays it on the list; `headers` and `outer` change what is usual."""
    tag = f"tag-{next(_tags)}"
    return {
        "body": as_base64(body),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": BULK_UPSERT, "id": tag, "argsrepr": SECRET, **(headers or {})},
        "properties": {
            "correlation_id": tag,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "enrollment"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": tag,
        },
        **outer,
    }


def push(redis: Redis, *messages: object) -> None:
    for message in messages:
        redis.lpush("enrollment", message if isinstance(message, bytes) else json.dumps(message))


class Broken(NamedTuple):
    """A message that only looks like Celery's, and the reason code it is buried with."""

    reason: str
    mark: str
    message: dict[str, Any]


def broken(reason: str, body: object, headers: Mapping[str, object] | None = None, /, **outer: object) -> Broken:
    """Break a message; its mark stands among its headers, and in its body where that says MARK."""
    mark = mark_of(next(_tags))
    marked = body.replace(b"MARK", mark.encode()) if isinstance(body, bytes) else body
    return Broken(reason, mark, envelope(marked, {"mark": mark, **(headers or {})}, **outer))


def broken_envelopes(campaign_id: str) -> list[Broken]:
    usual = json.dumps(call(campaign_id, "MARK")).encode()
    endless = usual.replace(f'"{SECRET}"'.encode(), b"9" * 5_000)
    nested = [usual.replace(f'"{SECRET}"'.encode(), b"[" * depth + b"]" * depth) for depth in (250, 600, 950, 100_000)]
    bodies = [
        SECRET,
        None,
        7,
        [],
        {},
        {"args": [], "kwargs": {}},
        [7, {}, {}],
        [[], SECRET, {}],
        [[], [], {}],
        [[], {}],
    ]
    headers: list[dict[str, object]] = [
        *({"id": bad} for bad in (None, 7, "", [SECRET], {})),
        *({"eta": bad} for bad in (SECRET, 7, [SECRET], "0001-01-01T00:00:00+14:00")),
        *({"expires": bad} for bad in (SECRET, 7, {"at": SECRET})),
    ]
    foreign = ["application/x-python-serialize", "application/x-yaml", "text/plain", "application/data", None, 7, []]
    return [
        *(broken("invalid_message", body) for body in bodies),
        *(broken("invalid_message", usual, changed) for changed in headers),
        *(broken("not_a_task", usual, {"task": task}) for task in (None, 7, [SECRET], {})),
        *(broken("unreadable", usual, **{"content-type": name}) for name in foreign),
        *(broken("unreadable", usual, {"compression": name}) for name in ("zlib", "no-such", [SECRET])),
        broken("unreadable", usual, body=None),
        broken("invalid_message", usual, body=""),
        *(
            broken("invalid_request", body)
            for body in (b"MARK " + SECRET.encode(), b"\xff\xfe\0MARK", endless, *nested)
        ),
        broken("unknown_task", usual, {"task": "leads.upsert"}),
    ]


def with_nested_properties(message: dict[str, Any]) -> dict[str, Any]:
    message["properties"]["reply_to"] = json.loads("[" * 600 + "]" * 600)
    return message


def odd_but_usable(campaign_id: str) -> list[dict[str, Any]]:
    """Messages whose producer asks Celery for more than a call: that is ignored, and the leads are taken."""
    options = [7, SECRET, None, {"callbacks": [SECRET]}, {"chain": [SECRET]}, {"chord": SECRET}, {"id": [7], "args": 7}]
    headers: list[dict[str, object]] = [
        {"timelimit": "soon"},
        {"timelimit": [SECRET, SECRET]},
        {"timelimit": [0.000001, 0.000001]},
        {"retries": SECRET},
        {"shadow": [SECRET]},
        {"group": [SECRET]},
        {"stamped_headers": 7},
        {"root_id": [SECRET]},
        {"ignore_result": False},
        {"eta": "2001-01-01T00:00:00+00:00"},
    ]
    names = (f"odd{n}" for n in count())
    return [
        *(envelope([*call(campaign_id, next(names))[:2], wanted]) for wanted in options),
        *(envelope(call(campaign_id, next(names)), changed) for changed in headers),
        envelope(call(campaign_id, next(names)), **{"content-encoding": 7}),
        with_nested_properties(envelope(call(campaign_id, next(names)))),
    ]


def test_messages_that_break_celerys_protocol_are_buried_and_shake_nobody(
    store: Store, new_campaign: NewCampaign, workers: Workers
) -> None:
    campaign = new_campaign()
    bad = broken_envelopes(campaign.public_id)

    for number, one in enumerate(bad):
        push(store.redis, one.message, envelope(call(campaign.public_id, number)))

    until(lambda: job_statuses(campaign.number) == {"applied": len(bad)}, what="every good message's being applied")
    assert stored_leads(campaign.number).keys() == {f"{number}@x.test" for number in range(len(bad))}
    until(lambda: store.redis.hlen("unacked") == 0, what="no message's being held")
    assert buried(store.redis) == {one.mark: one.reason for one in bad}
    assert_nothing_was_shaken(workers)


def test_what_a_message_asks_of_celery_beyond_the_call_keeps_no_lead_from_being_accepted(
    store: Store, new_campaign: NewCampaign, workers: Workers
) -> None:
    campaign = new_campaign()
    messages = odd_but_usable(campaign.public_id)

    push(store.redis, *messages)

    until(lambda: job_statuses(campaign.number) == {"applied": len(messages)}, what="every message's being applied")
    assert stored_leads(campaign.number).keys() == {f"odd{n}@x.test" for n in range(len(messages))}
    assert store.redis.xlen("enrollment:dead") == 0
    assert_nothing_was_shaken(workers)


# Garbage

GARBAGE: list[object] = [
    b"\xff\xfe" + SECRET.encode(),
    b"[" * 100_000,
    [lead("bad")],
    lead("bad"),
    TYPED,
    {"properties": {"delivery_tag": [SECRET]}, "body": SECRET},
    envelope([], body=f"not base64: {SECRET}"),
]


def test_garbage_that_is_no_celery_message_restarts_the_worker_at_most_and_loses_nothing_else(
    store: Store, new_campaign: NewCampaign
) -> None:
    campaign = new_campaign()
    for number, garbage in enumerate(GARBAGE):
        push(store.redis, envelope(call(campaign.public_id, number)), garbage)
    push(store.redis, envelope(call(campaign.public_id, len(GARBAGE))))
    everything = {"applied": len(GARBAGE) + 1}
    workers = Workers(store.data_dir, concurrency=1, environment={"ENROLL_VISIBILITY_TIMEOUT": "5"})

    def is_done() -> bool:
        if not workers.is_alive():
            workers.start()  # as a supervisor does
        return job_statuses(campaign.number) == everything and store.redis.llen("enrollment") == 0

    with workers:
        until(is_done, within=300, what="every good message's being applied, and the garbage gone")

    assert stored_leads(campaign.number).keys() == {f"{number}@x.test" for number in range(len(GARBAGE) + 1)}
    assert SECRET not in workers.log.read_text(errors="replace")


# What leaves

INJECTIONS = [
    "Ann\r\nBcc: eve@evil.test",
    "Ann\nSubject: Pwned\n\n<h1>Pwned</h1>",
    "Ann\rTo: eve@evil.test",
    "Ann\x0bBcc: eve@evil.test",
    "Ann\u2028Bcc: eve@evil.test",
    "Ann\x85Bcc: eve@evil.test",
    "\r\n\r\n.\r\nMAIL FROM:<eve@evil.test>",
    "=?utf-8?q?Ann=0D=0ABcc:_eve@evil.test?=",
    "{{company}}",
    "{{company|{{v}}}}",
    "<b onload=alert(1)>&amp;",
]
STEP = SequenceStep(subject="For {{firstName}}, {{v}}", body_html="<p>Hi {{firstName}}, {{v}}</p>")


def sent_messages(store: Store) -> dict[str, EmailMessage]:
    """What lies in the outbox, by recipient."""
    parser = BytesParser(_class=EmailMessage, policy=policy.default)
    messages = [parser.parsebytes(file.read_bytes()) for file in store.outbox.glob("*.eml")]
    found = {str(message["To"]): message for message in messages}
    assert len(found) == len(messages)
    return found


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body([kind])
    assert part
    return part.get_content()


def test_values_that_look_like_headers_or_tokens_leave_as_words(store: Store, producer: Any, workers: Workers) -> None:
    campaign = campaigns.create_campaign("default", "Injections", [STEP])
    values = {f"lead{n}@x.test": value for n, value in enumerate(INJECTIONS)}
    values |= {"{{v}}@x.test": "Ann", "plain@x.test": "Ann"}
    leads = [{"email": email, "firstName": value, "company": SECRET, "v": value} for email, value in values.items()]

    producer.send_task(BULK_UPSERT, (campaign.public_id, json.dumps(leads)), queue="enrollment")
    until(lambda: job_statuses(campaign.number) == {"applied": 1}, what="the job's being applied")
    campaigns.start_campaign(campaign.public_id)
    until(lambda: send_statuses(campaign.number) == {"sent": len(leads)}, what="all messages' leaving")

    sent = sent_messages(store)
    assert sent.keys() == values.keys()
    for email, value in values.items():
        assert_is_one_harmless_message(sent[email], value, like=sent["plain@x.test"])
    assert "&lt;b onload=alert(1)&gt;&amp;amp;" in text_of(sent["lead10@x.test"], "html")
    assert_nothing_was_shaken(workers)


def assert_is_one_harmless_message(message: EmailMessage, value: str, *, like: EmailMessage) -> None:
    assert sorted(message.keys()) == sorted(like.keys()), "a value can neither add nor split a header"
    assert all(len(message.get_all(name, [])) == 1 for name in ("To", "From", "Subject"))
    assert not any(name in message for name in ("Bcc", "Cc"))
    assert [part.get_content_type() for part in message.walk()] == [part.get_content_type() for part in like.walk()]
    as_one_line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", value)
    assert " ".join(str(message["Subject"]).split()) == " ".join(f"For {as_one_line}, {as_one_line}".split())
    assert SECRET not in message.as_string(), "a token in a value is no token"
