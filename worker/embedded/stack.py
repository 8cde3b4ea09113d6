"""The servers of one data directory: started together, found by every command of the same user.

DATA_DIR holds

    lock           held by the one process that runs the servers
    stack.json     databaseUrl, redisUrl, and who serves them: pid, startTime
    postgresql/    see postgresql.py
    valkey/        see valkey.py
    logs/, run/    see program.py
"""

import fcntl
import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.embedded import signals
from worker.embedded.postgresql import EmbeddedPostgresql
from worker.embedded.process import ProcessId, Say, write_private
from worker.embedded.program import end_leftovers
from worker.embedded.server import EmbeddedServer, ServerFailed
from worker.embedded.supervisor import Supervisor
from worker.embedded.valkey import EmbeddedValkey
from worker.settings import Settings, UnusableSetting

__all__ = ["AlreadyRunning", "RunningStack", "ServerFailed", "read_stack", "remove_data", "servers"]

_FILE = "stack.json"
_LOCK = "lock"
_FOLDERS = ("logs", "metrics", "run", "outbox")


@dataclass(frozen=True)
class RunningStack:
    """Where PostgreSQL and Redis are, passwords included, and the process that keeps them there."""

    database_url: str
    redis_url: str
    pid: int


class AlreadyRunning(Exception):
    """{data_dir} is in use by {who}: stop that one first, or set ENROLL_DATA_DIR to another folder."""

    def __init__(self, data_dir: Path) -> None:
        stack = read_stack(data_dir)
        who = f"process {stack.pid}" if stack else "a process that starts or stops just now"
        super().__init__((type(self).__doc__ or "").format(data_dir=data_dir, who=who))


def read_stack(data_dir: Path) -> RunningStack | None:
    """The stack that runs in this data directory; None without one, or when its process is dead."""
    try:
        noted = json.loads((data_dir / _FILE).read_text())
    except (FileNotFoundError, ValueError):  # none, or one that a power cut left empty
        return None
    if not ProcessId(noted["pid"], noted["startTime"]).is_alive():
        return None
    return RunningStack(noted["databaseUrl"], noted["redisUrl"], noted["pid"])


@contextmanager
def servers(settings: Settings, say: Say) -> Generator[RunningStack]:
    """Run the servers that the settings do not name, started again when they die; stop them on leaving.

    `AlreadyRunning` when the data directory is in use, `ServerFailed` when one cannot be started. SIGTERM and SIGHUP
    raise KeyboardInterrupt inside, so that they are stopped then too.
    """
    data_dir = settings.data_dir
    postgresql = None if settings.database_url else EmbeddedPostgresql(data_dir / "postgresql", say)
    valkey = None if settings.redis_url else EmbeddedValkey(data_dir / "valkey", say)
    with _locked(data_dir), signals.as_interrupts(), _started([s for s in (postgresql, valkey) if s], say):
        database_url = postgresql.url if postgresql else settings.database_url
        redis_url = valkey.url if valkey else settings.redis_url
        stack = RunningStack(database_url or "", redis_url or "", os.getpid())
        with _noted(data_dir / _FILE, stack):
            yield stack


def remove_data(data_dir: Path, say: Say) -> None:
    """Remove the data of a stack that does not run, what it keeps elsewhere included; nothing that is not its own."""
    _refuse_what_is_not_ours(data_dir)
    with _locked(data_dir):
        for name in end_leftovers(data_dir):
            say(f"{name} was still running from a start that was killed: killed it")
        EmbeddedPostgresql(data_dir / "postgresql", say).remove()
        EmbeddedValkey(data_dir / "valkey", say).remove()
        for folder in _FOLDERS:
            shutil.rmtree(data_dir / folder, ignore_errors=True)
        (data_dir / _FILE).unlink(missing_ok=True)


def _refuse_what_is_not_ours(data_dir: Path) -> None:
    names = {path.name for path in data_dir.iterdir()} if data_dir.is_dir() else set[str]()
    if names and _LOCK not in names:
        raise UnusableSetting(f"{data_dir} holds files that are not ours: move it away, or set another ENROLL_DATA_DIR")


@contextmanager
def _started(embedded: list[EmbeddedServer], say: Say) -> Generator[None]:
    supervisor = Supervisor(embedded, say)
    try:
        for server in embedded:
            server.start()
        supervisor.start()
        yield
    finally:
        with signals.ignored():
            supervisor.stop()
            for server in embedded:
                server.stop()  # where the supervisor did not get to its start


@contextmanager
def _noted(file: Path, stack: RunningStack) -> Generator[None]:
    process = ProcessId.of(stack.pid)
    noted = {"databaseUrl": stack.database_url, "redisUrl": stack.redis_url, "pid": stack.pid}
    write_private(file, json.dumps({**noted, "startTime": process.started if process else ""}))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def _locked(data_dir: Path) -> Generator[None]:
    """Hold the data directory; the kernel lets go of the lock of a process that was killed."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = os.open(data_dir / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UnusableSetting(f"ENROLL_DATA_DIR cannot be used: {error.filename}: {error.strerror}") from None
    try:
        _take(lock, data_dir)
        yield
    finally:
        os.close(lock)


def _take(lock: int, data_dir: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AlreadyRunning(data_dir) from None
