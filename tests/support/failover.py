"""A Valkey, its replica, and a Sentinel that makes the replica the master when the first one dies."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

from redis import Redis
from redis.sentinel import Sentinel

from support.polling import until
from worker.embedded.valkey import EmbeddedValkey

MASTER = "enroll"
# A master is taken to be dead after half a second, so that a test need not wait for the usual 30.
_SENTINEL = """\
bind 127.0.0.1
port {port}
requirepass {password}
pidfile valkey.pid
sentinel monitor {master} 127.0.0.1 {master_port} 1
sentinel auth-pass {master} {master_password}
sentinel down-after-milliseconds {master} 500
sentinel failover-timeout {master} 3000
"""


class ReplicatedValkey(EmbeddedValkey):
    """One that may become master or replica of another with the same password."""

    def __init__(self, folder: Path, follows: "ReplicatedValkey | None" = None) -> None:
        super().__init__(folder, print)
        self.password = self._password = follows.password if follows else self._password
        self._follows = follows

    def client(self) -> Any:
        return Redis(port=self.port, password=self.password, decode_responses=True)

    def _prepare(self) -> None:
        super()._prepare()
        with self._configuration.open("a") as configuration:
            configuration.write(f"masterauth {self.password}\nrepl-diskless-sync-delay 0\n")
            if self._follows:
                configuration.write(f"replicaof 127.0.0.1 {self._follows.port}\n")


class ValkeySentinel(EmbeddedValkey):
    """One Sentinel, with a password of its own, for a master."""

    name = "Sentinel"

    def __init__(self, folder: Path, master: ReplicatedValkey) -> None:
        super().__init__(folder, print)
        self.password = self._password
        self._master = master

    def _prepare(self) -> None:
        told = {"master": MASTER, "master_port": self._master.port, "master_password": self._master.password}
        self._configuration.write_text(_SENTINEL.format(port=self.port, password=self.password, **told))

    def _command(self) -> Sequence[str]:
        return [*super()._command(), "--sentinel"]


class Failover(NamedTuple):
    """The three of them."""

    first: ReplicatedValkey
    second: ReplicatedValkey
    sentinel: ValkeySentinel

    @property
    def url(self) -> str:
        """As ENROLL_REDIS_URL takes it. A Sentinel that is not there comes first: it must hold up nobody."""
        sentinels = f"127.0.0.1:1,127.0.0.1:{self.sentinel.port}"
        login = f"sentinel_password={self.sentinel.password}"
        return f"sentinel://:{self.first.password}@{sentinels}/0?master={MASTER}&{login}"

    def master(self) -> Any:
        """A client of whoever is the master when it is used."""
        sentinel = Sentinel([("127.0.0.1", self.sentinel.port)], sentinel_kwargs={"password": self.sentinel.password})
        return cast("Any", sentinel).master_for(MASTER, password=self.first.password)


@contextmanager
def failover(folder: Path) -> Iterator[Failover]:
    """Start them; the replica has all that the master has, and the Sentinel knows it."""
    first = ReplicatedValkey(folder / "first")
    second = ReplicatedValkey(folder / "second", follows=first)
    sentinel = ValkeySentinel(folder / "sentinel", first)
    with ExitStack() as running:
        for server in (first, second):
            running.callback(server.remove)
            server.start()
        until(lambda: second.client().info("replication")["master_link_status"] == "up", what="the replica's following")
        running.callback(sentinel.remove)
        sentinel.start()
        yield Failover(first, second, sentinel)
