"""Workers that say that they live, in PostgreSQL: so that it is known who does while Redis is down."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from worker.store.connection import transaction

# None of it is needed to be right: it waits for no disk.
_NO_WAIT_FOR_DISK = text("SET LOCAL synchronous_commit = off")
_SAY = text("""
INSERT INTO worker (name, queues, slots, busy, host, pid) VALUES (:name, :queues, :slots, :busy, :host, :pid)
ON CONFLICT (name) DO UPDATE SET
    queues = excluded.queues, slots = excluded.slots, busy = excluded.busy, host = excluded.host, seen_at = now(),
    started_at = CASE WHEN worker.pid = excluded.pid THEN worker.started_at ELSE now() END, pid = excluded.pid
""")
_LEAVE = text("DELETE FROM worker WHERE name = :name AND pid = :pid")
_FORGET = text("DELETE FROM worker WHERE seen_at < now() - interval '1 hour'")


@dataclass(frozen=True, slots=True)
class Sign:
    """What a worker says of itself."""

    name: str
    queues: Sequence[str]
    slots: int
    busy: int
    host: str
    pid: int


def say_alive(sign: Sign) -> None:
    """Write that a worker lives."""
    with transaction() as session:
        session.connection().execute(_NO_WAIT_FOR_DISK)
        row = {"name": sign.name, "slots": sign.slots, "busy": sign.busy, "host": sign.host, "pid": sign.pid}
        session.connection().execute(_SAY, {**row, "queues": list(sign.queues)})


def say_goodbye(name: str, pid: int) -> None:
    """Write that a worker ended as it should."""
    with transaction() as session:
        session.connection().execute(_LEAVE, {"name": name, "pid": pid})


def forget(session: Session) -> None:
    """Drop workers that have not been seen for an hour: until then they are missed."""
    session.connection().execute(_FORGET)
