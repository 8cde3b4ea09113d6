"""Workers that say that they live, in PostgreSQL: so that it is known who does while Redis is down."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from worker.store.connection import transaction

# None of it is needed to be right: it waits for no disk.
_NO_WAIT_FOR_DISK = text("SET LOCAL synchronous_commit = off")
# Who starts says so: the number of its process does not tell, in a container it is always the same.
_SAY = text("""
WITH started AS (
    INSERT INTO worker_start (name, version) SELECT :name, :version WHERE :started
)
INSERT INTO worker (name, queues, slots, busy, host, pid, version)
VALUES (:name, :queues, :slots, :busy, :host, :pid, :version)
ON CONFLICT (name) DO UPDATE SET
    queues = excluded.queues, slots = excluded.slots, busy = excluded.busy, host = excluded.host, pid = excluded.pid,
    version = excluded.version, seen_at = now(),
    started_at = CASE WHEN :started THEN now() ELSE worker.started_at END
""")
_CLOCK = text("SELECT statement_timestamp()")
_STARTED_SINCE = text("SELECT name FROM worker WHERE started_at >= :moment")
_LEAVE = text("DELETE FROM worker WHERE name = :name AND pid = :pid")
_FORGET = (
    text("DELETE FROM worker WHERE seen_at < now() - interval '1 hour'"),
    text("DELETE FROM worker_start WHERE started_at < now() - interval '1 day'"),
)


@dataclass(frozen=True, slots=True)
class Sign:
    """What a worker says of itself."""

    name: str
    queues: Sequence[str]
    slots: int
    busy: int
    host: str
    pid: int
    version: str


def say_alive(sign: Sign, *, started: bool = False) -> None:
    """Write that a worker lives, or that it has just started."""
    with transaction() as session:
        session.connection().execute(_NO_WAIT_FOR_DISK)
        session.connection().execute(_SAY, {**asdict(sign), "queues": list(sign.queues), "started": started})


def clock() -> datetime:
    """Tell the time as the store has it."""
    with transaction() as session:
        return session.connection().execute(_CLOCK).scalar_one()


def started_since(moment: datetime) -> set[str]:
    """Name the workers that got ready since then, by the store's clock."""
    with transaction() as session:
        return set(session.connection().execute(_STARTED_SINCE, {"moment": moment}).scalars())


def say_goodbye(name: str, pid: int) -> None:
    """Write that a worker ended as it should."""
    with transaction() as session:
        session.connection().execute(_LEAVE, {"name": name, "pid": pid})


def forget(session: Session) -> None:
    """Drop workers that have not been seen for an hour: until then they are missed. Starts are kept for a day."""
    for statement in _FORGET:
        session.connection().execute(statement)
