"""What nudges and dead letters keep in Redis, on one that is made up: no server has to run for that."""

from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest
from redis.exceptions import ConnectionError as RedisDown

from worker import dead_letters, nudges
from worker.celery import app

CAMPAIGN = "camp_01hx4mrqpbcn7wh2gfk9yz6e3s"
FLAG = f"enrollment:nudged:leads.apply:{CAMPAIGN}"


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[fakeredis.FakeRedis]:
    server = fakeredis.FakeServer()
    with fakeredis.FakeRedis(server=server) as made:
        monkeypatch.setattr(nudges, "redis", lambda: made)
        monkeypatch.setattr(dead_letters, "redis", lambda: made)
        yield made


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    messages: list[tuple[str, Any]] = []
    monkeypatch.setattr(app, "send_task", lambda task, kwargs, **_: messages.append((task, kwargs)))
    return messages


def test_a_nudge_sets_its_flag_and_is_sent_once_until_it_is_taken_up(
    redis: fakeredis.FakeRedis, sent: list[tuple[str, Any]]
) -> None:
    nudges.apply(CAMPAIGN)
    nudges.apply(CAMPAIGN)
    assert sent == [("leads.apply", {"campaign_id": CAMPAIGN})]

    nudges.take_up(nudges.APPLY, CAMPAIGN)
    assert not redis.exists(FLAG)
    nudges.apply(CAMPAIGN)
    assert len(sent) == 2


def test_the_flag_of_a_nudge_that_got_lost_expires(redis: fakeredis.FakeRedis, sent: list[tuple[str, Any]]) -> None:
    nudges.apply(CAMPAIGN)

    assert sent
    assert 0 < redis.ttl(FLAG) <= nudges._FLAG_SECONDS


def test_nobody_has_to_care_whether_a_nudge_could_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    server = fakeredis.FakeServer()
    server.connected = False
    with fakeredis.FakeRedis(server=server) as down:
        monkeypatch.setattr(nudges, "redis", lambda: down)
        nudges.apply(CAMPAIGN)
        nudges.take_up(nudges.APPLY, CAMPAIGN)


def test_a_dead_letter_says_why_and_holds_the_message(redis: fakeredis.FakeRedis) -> None:
    dead_letters.bury("campaign_not_found: there is none", {"leads": "[1]", "é": float("inf")})

    [(_, entry)] = redis.xrange("enrollment:dead")
    assert entry == {
        b"reason": b"campaign_not_found: there is none",
        b"entry": b'{"leads": "[1]", "\\u00e9": Infinity}',
    }


def test_a_dead_letter_that_cannot_be_kept_is_not_taken_for_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    server = fakeredis.FakeServer()
    server.connected = False
    with fakeredis.FakeRedis(server=server) as down:
        monkeypatch.setattr(dead_letters, "redis", lambda: down)
        with pytest.raises(RedisDown):
            dead_letters.bury("unreadable", "x")
