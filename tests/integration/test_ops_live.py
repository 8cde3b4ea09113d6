"""Live updates of the operations page: they never overlap, end with the session, and hold up no shutdown."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2 as httpx
import psycopg
import pytest
from conftest import Store
from sqlalchemy.exc import DBAPIError
from support.api_process import api_process
from support.database import sql
from support.ops import ADMIN
from support.polling import pause
from support.uploads import listening

from worker.ops import now as first_screen
from worker.reports.ops.snapshot import snapshot
from worker.store.api_keys import create_key, revoke_key
from worker.store.sessions import open_session


@contextmanager
def stream(port: int, cookie: str) -> Iterator[Iterator[str]]:
    """The lines of the live updates."""
    address = f"http://127.0.0.1:{port}/ops/live"
    with httpx.stream("GET", address, headers={"Cookie": f"enroll_ops={cookie}"}, timeout=60) as answer:
        assert answer.status_code == 200
        yield answer.iter_lines()


def test_however_many_look_no_two_looks_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = most = looks = 0

    def look_slowly(*_: object) -> object:
        nonlocal at_once, most, looks
        at_once += 1
        looks += 1
        most = max(most, at_once)
        pause(0.05)
        at_once -= 1
        return object()

    monkeypatch.setattr(first_screen, "read_now", look_slowly)
    monkeypatch.setattr(first_screen, "look", object)
    shared = first_screen._Looks()
    lookers = [threading.Thread(target=shared.now, args=[None]) for _ in range(8)]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join()
    assert most == 1
    assert looks < len(lookers), "who comes while one looks is shown what that one saw"


@pytest.mark.usefixtures("store")
def test_the_updates_end_with_the_key_of_the_session() -> None:
    key = create_key("default", "ana", ADMIN)
    cookie, _ = open_session(key.token)
    with listening() as port, stream(port, cookie) as lines:
        assert next(line for line in lines if line.startswith("event")) == "event: page"
        revoke_key(key.row.public_id)
        assert "event: over" in (line for line in lines if line.startswith("event"))


@pytest.mark.usefixtures("store")
def test_a_page_that_is_open_holds_up_no_shutdown(tmp_path: Path) -> None:
    cookie, _ = open_session(create_key("default", "ana", ADMIN).token)
    with api_process(tmp_path / "api.log") as port:
        watching = threading.Event()

        def watch() -> None:
            with suppress(httpx.HTTPError), stream(port, cookie) as lines:
                for line in lines:
                    if line.startswith("event"):
                        watching.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert watching.wait(60)
    # The process has ended by itself, with exit code 0, or the line above would have failed.
    watcher.join(30)
    assert not watcher.is_alive()


def test_what_is_read_in_one_snapshot_is_of_one_moment_and_changes_nothing(store: Store) -> None:
    with snapshot() as session:
        count = "SELECT count(*) FROM workspace"
        before = session.connection().exec_driver_sql(count).scalar_one()
        with psycopg.connect(store.database_url) as other:
            other.execute("INSERT INTO workspace (name) VALUES ('another')")
        assert session.connection().exec_driver_sql(count).scalar_one() == before
    with pytest.raises(DBAPIError, match="read-only"), snapshot() as session:
        session.connection().exec_driver_sql("DELETE FROM workspace")
    assert sql("SELECT count(*) FROM workspace") == [(before + 1,)]
