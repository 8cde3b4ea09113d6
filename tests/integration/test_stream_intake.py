"""What becomes of entries of the stream, by readers in this process; with the broken twins."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from conftest import Store
from support.database import sql

from domain.job import IdempotencyKey
from worker import dead_letters, intake, stream_lock, stream_queue
from worker.store import ledger
from worker.store.connection import transaction
from worker.store.tables import Campaign
from worker.stream_queue import GROUP, STREAM, IntakeStream

NewCampaign = Callable[..., Campaign]

_numbers = count()


def add(redis: Any, campaign_id: str = "camp_x", **fields: object) -> str:
    """Add an entry as redis-cli does; `fields` change what is usual."""
    usual = {"campaign_id": campaign_id, "leads": f'[{{"email": "lead{next(_numbers)}@x.test"}}]'}
    given = {name: value for name, value in {**usual, **fields}.items() if value is not None}
    return redis.execute_command("XADD", STREAM, "*", *(part for field in given.items() for part in field)).decode()


@pytest.fixture
def reader(store: Store) -> IntakeStream:
    made = IntakeStream(store.redis, block_milliseconds=1)
    made.oldest()
    return made


def drain(stream: IntakeStream, redis: Any) -> None:
    while redis.xlen(STREAM):
        assert intake.take_in(stream)


def keys_of_jobs() -> list[str]:
    return [row[0] for row in sql("SELECT key_space || ':' || idempotency_key FROM job ORDER BY id")]


def assert_entries_are_jobs_in_their_order(entries: list[str]) -> None:
    assert keys_of_jobs() == [f"stream:{number}" for number in entries]


def letters(store: Store) -> list[tuple[str, Any]]:
    """The code of each dead letter, and what it holds."""
    found = [fields for _, fields in store.redis.xrange(dead_letters.STREAM)]
    return [(fields[b"reason"].decode().partition(": ")[0], json.loads(fields[b"entry"])) for fields in found]


def test_entries_become_jobs_in_their_order_and_their_lanes_are_nudged_once(
    store: Store, new_campaign: NewCampaign, reader: IntakeStream
) -> None:
    campaigns = [new_campaign(), new_campaign()]
    added = [add(store.redis, campaigns[n % 2].public_id) for n in range(200)]

    drain(reader, store.redis)

    assert_entries_are_jobs_in_their_order(added)
    assert store.redis.llen("enrollment") == 2
    assert store.redis.xpending(STREAM, GROUP)["pending"] == 0


def test_the_key_of_an_entry_is_the_users(store: Store, new_campaign: NewCampaign, reader: IntakeStream) -> None:
    campaign = new_campaign()
    ledger.accept(campaign.public_id, [{"email": "ann@x.test"}], IdempotencyKey("user", "first"))
    leads = '[{"email": "ann@x.test"}]'

    for key in ("first", "second", "second"):
        add(store.redis, campaign.public_id, leads=leads, idempotency_key=key)
    drain(reader, store.redis)

    assert keys_of_jobs() == ["user:first", "user:second"]
    assert letters(store) == []


def take_in_twice(redis: Any, campaign: Campaign, reader: IntakeStream, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have entries committed and not acknowledged, and then again."""
    added = [add(redis, campaign.public_id) for _ in range(3)]
    with monkeypatch.context() as patched:
        patched.setattr(reader, "done", lambda _: None)
        assert intake.take_in(reader)
    drain(reader, redis)
    return added


def test_an_entry_that_is_read_twice_is_one_job(
    store: Store, new_campaign: NewCampaign, reader: IntakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = take_in_twice(store.redis, new_campaign(), reader, monkeypatch)

    assert_entries_are_jobs_in_their_order(added)


def test_without_its_id_as_a_key_it_is_two(
    store: Store, new_campaign: NewCampaign, reader: IntakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broken twin."""
    monkeypatch.setattr(intake, "IdempotencyKey", lambda *_: None)

    added = take_in_twice(store.redis, new_campaign(), reader, monkeypatch)

    assert len(keys_of_jobs()) == 2 * len(added)


NOBODY = "camp_01hx4mrqpb0000000000000001"
BAD: list[tuple[str, dict[str, object]]] = [
    ("campaign_not_found", {"campaign_id": NOBODY}),
    ("campaign_not_found", {"campaign_id": ""}),
    ("campaign_not_found", {"campaign_id": "\0"}),
    ("invalid_request", {"campaign_id": None}),
    ("invalid_request", {"campaign_id": b"\xff"}),
    ("invalid_request", {"leads": None}),
    ("invalid_request", {"leads": ""}),
    ("invalid_request", {"leads": "[{"}),
    ("invalid_request", {"leads": "{}"}),
    ("invalid_request", {"leads": "[]"}),
    ("invalid_request", {"leads": b'[{"email": "\xff@x.test"}]'}),
    ("invalid_request", {"leads": '[{"email": "ann@x.test", "n": NaN}]'}),
    ("invalid_request", {"leads": "[" * 100_000}),
    ("invalid_request", {"idempotency_key": ""}),
    ("invalid_request", {"idempotency_key": "two words"}),
    ("invalid_request", {"idempotency_key": "é"}),
    ("payload_too_large", {"leads": json.dumps([{}] * 10_001)}),
    ("payload_too_large", {"leads": json.dumps([{"v": "x" * 10 * 1024 * 1024}])}),
    ("idempotency_key_reused", {"idempotency_key": "used"}),
]


def test_what_cannot_be_a_job_is_buried_with_the_reason_and_its_neighbours_are_unharmed(
    store: Store, new_campaign: NewCampaign, reader: IntakeStream
) -> None:
    campaign_id = new_campaign().public_id
    ledger.accept(campaign_id, [{"email": "ann@x.test"}], IdempotencyKey("user", "used"))
    good, bad = [add(store.redis, campaign_id, ignored="x")], list[str]()
    for _, fields in BAD:
        bad.append(add(store.redis, **{"campaign_id": campaign_id, **fields}))
        good.append(add(store.redis, campaign_id))

    drain(reader, store.redis)

    assert keys_of_jobs() == ["user:used", *(f"stream:{number}" for number in good)]
    found = letters(store)
    assert [code for code, _ in found] == [code for code, _ in BAD]
    assert [(entry["stream"], entry["id"]) for _, entry in found] == [(STREAM, number) for number in bad]
    assert found[4][1]["fields"]["campaign_id"] == "\\xff"
    assert found[9][1]["fields"] == {"campaign_id": campaign_id, "leads": "[]"}


def test_an_entry_that_breaks_us_is_buried_alone(
    store: Store, new_campaign: NewCampaign, reader: IntakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = new_campaign()
    added = [add(store.redis, campaign.public_id) for _ in range(3)]
    insert = ledger._insert

    def break_on_the_second(session: Any, rows: Any) -> Any:
        if any(row["key"] == added[1] for row in rows):
            sql("SELECT 1 / 0")
        return insert(session, rows)

    monkeypatch.setattr(ledger, "_insert", break_on_the_second)
    drain(reader, store.redis)

    assert_entries_are_jobs_in_their_order([added[0], added[2]])
    assert [(code, entry["id"]) for code, entry in letters(store)] == [("internal_error", added[1])]


def test_a_table_that_is_missing_is_no_fault_of_the_entries(
    store: Store, new_campaign: NewCampaign, reader: IntakeStream
) -> None:
    added = [add(store.redis, new_campaign().public_id) for _ in range(2)]
    sql("ALTER TABLE job RENAME TO elsewhere")

    with pytest.raises(Exception, match='relation "job" does not exist'):
        intake.take_in(reader)

    assert letters(store) == []
    sql("ALTER TABLE elsewhere RENAME TO job")
    drain(reader, store.redis)
    assert_entries_are_jobs_in_their_order(added)


# One active reader, and one that is frozen


def freeze_the_next_reader(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Have the next reader do nothing between reading and committing while others go on."""
    accept_together = ledger.accept_together

    def wake(requests: Any) -> Any:
        monkeypatch.setattr(ledger, "accept_together", accept_together)
        meanwhile()
        return accept_together(requests)

    monkeypatch.setattr(ledger, "accept_together", wake)


def test_while_one_reads_the_others_stand_by(
    store: Store, new_campaign: NewCampaign, reader: IntakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store.redis, new_campaign().public_id)
    add(store.redis, NOBODY)
    other: list[bool] = []
    freeze_the_next_reader(monkeypatch, lambda: other.append(intake.take_in(reader)))

    assert intake.take_in(reader)

    assert other == [False]
    assert len(letters(store)) == 1


def test_without_the_lock_two_bury_the_same_entry(
    store: Store, new_campaign: NewCampaign, reader: IntakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broken twin."""
    monkeypatch.setattr(stream_lock, "take", lambda _: True)
    add(store.redis, new_campaign().public_id)
    add(store.redis, NOBODY)
    freeze_the_next_reader(monkeypatch, lambda: intake.take_in(reader))

    intake.take_in(reader)

    assert len(letters(store)) == 2


def take_in_with_one_frozen(
    store: Store, campaign: Campaign, reader: IntakeStream, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """A reader freezes, loses its lock, and wakes after another has gone on for long; gives what was added."""
    monkeypatch.setattr(stream_lock, "take", lambda _: True)  # as after PostgreSQL has given it to another one
    monkeypatch.setattr(stream_queue, "BATCH_ENTRIES", 25)
    added = [add(store.redis, campaign.public_id) for _ in range(60)]

    def go_on() -> None:
        intake.take_in(reader)
        intake.take_in(reader)
        added.extend(add(store.redis, campaign.public_id) for _ in range(60))

    freeze_the_next_reader(monkeypatch, go_on)
    while store.redis.xlen(STREAM):
        intake.take_in(reader)
    return added


def test_a_frozen_reader_that_wakes_up_changes_neither_order_nor_number(
    store: Store, new_campaign: NewCampaign, reader: IntakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = take_in_with_one_frozen(store, new_campaign(), reader, monkeypatch)

    assert_entries_are_jobs_in_their_order(added)


def test_readers_that_take_only_what_is_new_break_the_order(
    store: Store, new_campaign: NewCampaign, reader: IntakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broken twin: two ordinary readers of a group."""
    monkeypatch.setattr(reader, "oldest", lambda: stream_queue._batch(reader._new_chunks()))

    added = take_in_with_one_frozen(store, new_campaign(), reader, monkeypatch)

    assert sorted(keys_of_jobs()) == sorted(f"stream:{number}" for number in added)
    with pytest.raises(AssertionError):
        assert_entries_are_jobs_in_their_order(added)


@pytest.mark.usefixtures("store")
def test_the_lock_ends_with_its_transaction_and_soon_where_its_holder_does_nothing() -> None:
    with transaction() as session:
        assert stream_lock.take(session)
        assert session.connection().exec_driver_sql("SHOW idle_in_transaction_session_timeout").one() == ("10s",)
        with transaction() as other:
            assert not stream_lock.take(other)
    with transaction() as other:
        assert stream_lock.take(other)
