"""The stream as a queue: what is read, in which order; on a Redis that is made up, with the broken twins."""

from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest

from worker import stream_queue
from worker.stream_queue import GROUP, STREAM, Entry, IntakeStream


def add(redis: fakeredis.FakeRedis) -> str:
    entry: dict[Any, Any] = {"campaign_id": "camp_x", "leads": "[]"}
    return redis.xadd(STREAM, entry).decode()


def ids(entries: list[Entry]) -> list[str]:
    return [entry.id for entry in entries]


@pytest.fixture
def redis() -> Iterator[fakeredis.FakeRedis]:
    with fakeredis.FakeRedis() as made:
        yield made


@pytest.fixture
def stream(redis: fakeredis.FakeRedis) -> IntakeStream:
    made = IntakeStream(redis, block_milliseconds=1)
    assert made.oldest() == [], "the first look makes the group"
    return made


def test_what_was_added_before_anybody_read_is_read(redis: fakeredis.FakeRedis) -> None:
    added = [add(redis) for _ in range(3)]
    stream = IntakeStream(redis, block_milliseconds=1)
    stream.oldest()

    assert ids(stream.oldest()) == added


def test_what_is_done_is_acknowledged_and_deleted_and_the_rest_is_given_again(
    redis: fakeredis.FakeRedis, stream: IntakeStream
) -> None:
    added = [add(redis) for _ in range(60)]
    entries = stream.oldest()
    assert ids(entries) == added

    stream.done(entries[:20])

    assert redis.xpending(STREAM, GROUP)["pending"] == redis.xlen(STREAM) == 40
    assert ids(stream.oldest()) == added[20:]


def test_what_another_reader_left_comes_before_what_was_added_since(
    redis: fakeredis.FakeRedis, stream: IntakeStream
) -> None:
    added = [add(redis) for _ in range(5)]
    redis.xreadgroup(GROUP, "somebody who died", {STREAM: ">"}, 3)

    left = stream.oldest()
    stream.done(left)

    assert [ids(left), ids(stream.oldest())] == [added[:3], added[3:]]


def take_while_another_takes_some_too(
    redis: fakeredis.FakeRedis, stream: IntakeStream, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[str], list[str]]:
    """What was added, and what a reader takes that finds nothing left behind just before a woken one takes some."""
    added = [add(redis) for _ in range(5)]
    new_chunks = stream._new_chunks

    def be_late() -> Iterator[list[Entry]]:
        redis.xreadgroup(GROUP, "woken", {STREAM: ">"}, 2)
        return new_chunks()

    monkeypatch.setattr(stream, "_new_chunks", be_late)
    return added, ids(stream.oldest())


def test_what_a_woken_reader_takes_meanwhile_is_not_stepped_over(
    redis: fakeredis.FakeRedis, stream: IntakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    added, taken = take_while_another_takes_some_too(redis, stream, monkeypatch)

    assert taken == added


def test_without_counting_what_is_pending_it_is_stepped_over(
    redis: fakeredis.FakeRedis, stream: IntakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broken twin."""
    monkeypatch.setattr(redis, "xpending", lambda *_: {"pending": 3})

    added, taken = take_while_another_takes_some_too(redis, stream, monkeypatch)

    assert taken == added[2:]


def test_entries_that_somebody_deleted_hold_up_nothing(redis: fakeredis.FakeRedis, stream: IntakeStream) -> None:
    added = [add(redis) for _ in range(3)]
    stream.oldest()
    redis.xdel(STREAM, *added[:2])

    assert ids(stream.oldest()) == added[2:]
    assert redis.xpending(STREAM, GROUP)["pending"] == 1


@pytest.mark.parametrize("limit", ["BATCH_ENTRIES", "BATCH_BYTES"])
def test_a_batch_is_bounded_in_entries_and_in_bytes(
    redis: fakeredis.FakeRedis, stream: IntakeStream, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(stream_queue, limit, 30)
    added = [add(redis) for _ in range(100)]

    first = stream.oldest()
    again = stream.oldest()

    assert ids(first) == added[: 50 if limit == "BATCH_ENTRIES" else 25]
    assert len(again) <= 50
    assert ids(again) == added[: len(again)]


def test_the_group_is_made_again_when_redis_was_emptied(redis: fakeredis.FakeRedis, stream: IntakeStream) -> None:
    stream.done([Entry(add(redis), {})])
    redis.flushall()
    added = [add(redis)]

    assert stream.oldest() == []
    assert ids(stream.oldest()) == added
