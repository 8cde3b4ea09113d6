"""The servers of one data directory: found by commands, held by one process, cleaned up after a kill."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from support.polling import until

from worker.embedded.postgresql import EmbeddedPostgresql
from worker.embedded.process import ProcessId
from worker.embedded.program import end_leftovers
from worker.embedded.stack import AlreadyRunning, RunningStack, read_stack, remove_data, servers
from worker.settings import Settings, UnusableSetting

REPOSITORY = Path(__file__).parents[2]
PARENT = """
import sys
from pathlib import Path
from worker.embedded.stack import servers
from worker.settings import Settings

with servers(Settings(data_dir=Path(sys.argv[1])), print) as stack:
    print("up", flush=True)
    sys.stdin.read()
"""

Parent = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    if (folder / "postgresql").exists():
        EmbeddedPostgresql(folder / "postgresql", print).remove()


@pytest.fixture
def only_valkey(data_dir: Path) -> Settings:
    """Settings that name a PostgreSQL: half the stack starts in a blink."""
    return Settings(data_dir=data_dir, database_url="postgresql://somewhere/else")


@pytest.fixture
def parent(data_dir: Path) -> Iterator[Parent]:
    """A process that runs the stack until its stdin is closed."""
    started: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", PARENT, str(data_dir)]
        process = subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(process)
        assert process.stdout
        lines = list(iter(process.stdout.readline, "up\n")) if process.poll() is None else []
        assert process.poll() is None, lines
        return process

    yield start
    for process in started:
        process.communicate()


def ping(stack: RunningStack) -> object:
    with redis.Redis.from_url(stack.redis_url) as client:
        return client.ping()


def server_pids(data_dir: Path) -> list[ProcessId]:
    notes = (data_dir / "postgresql" / "cluster" / "data" / "postmaster.pid", data_dir / "valkey" / "valkey.pid")
    found = [ProcessId.of(int(note.read_text().split()[0])) for note in notes]
    assert all(found)
    return [process for process in found if process]


def test_the_stack_is_found_by_its_data_directory_while_it_runs(data_dir: Path) -> None:
    assert read_stack(data_dir) is None
    with servers(Settings(data_dir=data_dir), print) as stack:
        assert read_stack(data_dir) == stack
        assert stack.pid == os.getpid()
        assert ping(stack)
        with psycopg.connect(stack.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        running = server_pids(data_dir)
    assert read_stack(data_dir) is None
    assert not any(process.is_alive() for process in running)


def test_the_note_of_the_stack_is_for_its_user_only(only_valkey: Settings) -> None:
    with servers(only_valkey, print) as stack:
        file = only_valkey.data_dir / "stack.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        noted = json.loads(file.read_text())
        assert (noted["databaseUrl"], noted["redisUrl"]) == ("postgresql://somewhere/else", stack.redis_url)
        assert noted["pid"] == os.getpid()


def test_servers_that_the_settings_name_are_not_started(data_dir: Path) -> None:
    named = Settings(data_dir=data_dir, database_url="postgresql://a/b", redis_url="redis://c/0")
    with servers(named, print) as stack:
        assert stack == RunningStack("postgresql://a/b", "redis://c/0", os.getpid())
        assert {file.name for file in data_dir.iterdir()} == {"lock", "stack.json"}


def test_a_second_stack_in_the_same_data_directory_is_refused_and_the_first_unharmed(only_valkey: Settings) -> None:
    with servers(only_valkey, print) as stack:
        with pytest.raises(AlreadyRunning, match=rf"data is in use by process {os.getpid()}: stop that one first"):
            servers(only_valkey, print).__enter__()
        assert read_stack(only_valkey.data_dir) == stack
        assert ping(stack)


def test_a_stack_may_follow_another_one(only_valkey: Settings) -> None:
    for _ in range(2):
        with servers(only_valkey, print) as stack:
            assert ping(stack)


def test_removing_the_data_of_a_stack_removes_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("mine")
    with pytest.raises(UnusableSetting, match="holds files that are not ours"):
        remove_data(tmp_path, print)

    (tmp_path / "lock").touch()
    (tmp_path / "outbox").mkdir()
    remove_data(tmp_path, print)

    assert thesis.read_text() == "mine"
    assert not (tmp_path / "outbox").exists()


def test_a_note_that_a_power_cut_left_empty_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "stack.json").touch()
    assert read_stack(tmp_path) is None
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "beat.pid").touch()
    assert list(end_leftovers(tmp_path)) == []


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with (
        pytest.raises(UnusableSetting, match=r"ENROLL_DATA_DIR cannot be used: .+file"),
        servers(Settings(data_dir=tmp_path / "file" / "data"), print),
    ):
        pass


def test_a_note_of_a_process_number_that_another_process_has_now_counts_for_nothing(only_valkey: Settings) -> None:
    with servers(only_valkey, print):
        noted = json.loads((only_valkey.data_dir / "stack.json").read_text())
    (only_valkey.data_dir / "stack.json").write_text(json.dumps({**noted, "startTime": "1"}))
    assert read_stack(only_valkey.data_dir) is None


def test_a_server_that_dies_is_back_on_its_port(only_valkey: Settings) -> None:
    told: list[str] = []
    with servers(only_valkey, told.append) as stack:
        first = int((only_valkey.data_dir / "valkey" / "valkey.pid").read_text())
        os.kill(first, signal.SIGKILL)
        until(lambda: told, what="the supervisor's noticing it")
        until(lambda: answers(stack), what="its coming back")
    assert told == [
        f"Valkey ended (signal SIGKILL): started again in 0.5 s (see {only_valkey.data_dir}/valkey/server.log)"
    ]


def test_a_killed_parent_leaves_nothing_that_the_next_start_cannot_clean_up(data_dir: Path, parent: Parent) -> None:
    first = parent()
    stack = read_stack(data_dir)
    assert stack
    with psycopg.connect(stack.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    old = server_pids(data_dir)
    first.kill()
    first.wait()
    assert read_stack(data_dir) is None
    assert all(process.is_alive() for process in old), "the servers should outlive their parent here"

    with servers(Settings(data_dir=data_dir), print) as stack:
        assert not any(process.is_alive() for process in old)
        with psycopg.connect(stack.database_url) as connection:
            assert connection.execute("SELECT seven FROM kept").fetchone() == (7,)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_servers_in_an_orderly_way(data_dir: Path, parent: Parent, number: signal.Signals) -> None:
    process = parent()
    running = server_pids(data_dir)
    process.send_signal(number)
    process.wait(timeout=30)
    assert not any(server.is_alive() for server in running)
    assert not (data_dir / "stack.json").exists()
    assert "database system is shut down" in (data_dir / "postgresql" / "server.log").read_text()


def test_the_servers_may_be_run_from_any_thread(only_valkey: Settings) -> None:
    seen: list[object] = []

    def run() -> None:
        with servers(only_valkey, print) as stack:
            seen.append(ping(stack))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [True]


def answers(stack: RunningStack) -> bool:
    try:
        return bool(ping(stack))
    except redis.RedisError:
        return False
