"""Real workers say in PostgreSQL that they live: it is known who does, Redis or no Redis."""

from pathlib import Path

import pytest
from conftest import Store
from support.database import sql
from support.fleet import Workers
from support.polling import until

from worker import heartbeat


def workers_seen() -> list[tuple[str, list[str], int]]:
    return [tuple(row) for row in sql("SELECT split_part(name, '@', 1), queues, slots FROM worker ORDER BY name")]


@pytest.mark.usefixtures("store")
def test_a_worker_is_known_while_it_lives_missed_when_killed_and_gone_when_stopped(tmp_path: Path) -> None:
    with Workers(tmp_path, queues="delivery,maintenance", name="one") as stopped:
        until(lambda: workers_seen() == [("one", ["delivery", "maintenance"], 2)], what="the worker's first beat")
        assert stopped.stop() == 0
    assert workers_seen() == []
    killed = Workers(tmp_path, queues="enrollment", name="two").start()
    until(lambda: len(workers_seen()) == 1, what="the other worker's first beat")
    killed.kill()
    assert len(workers_seen()) == 1, "it said no goodbye, so it is missed"


def test_a_worker_beats_while_redis_is_away(store: Store, tmp_path: Path) -> None:
    with Workers(tmp_path, name="three"):
        until(lambda: len(workers_seen()) == 1, what="the worker's first beat")
        store.servers.valkey.stop()
        try:
            first = sql("SELECT seen_at FROM worker")
            until(
                lambda: sql("SELECT seen_at FROM worker") > first,
                within=6 * heartbeat.BEAT_SECONDS,
                what="a beat without Redis",
            )
        finally:
            store.servers.valkey.start()
