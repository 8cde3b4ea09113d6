"""Workers as they say of themselves in the store, so that they are known with Redis down."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from worker.reports.ops.snapshot import rows

ALIVE_SECONDS = 30

_WORKERS = text("""
SELECT name, queues, slots, busy, host, pid, started_at, seen_at, version,
    seen_at > now() - :alive * interval '1 second' AS alive
FROM worker ORDER BY name LIMIT 500
""")


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """A worker: alive, or missed."""

    name: str
    queues: list[str]
    slots: int
    busy: int
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime
    version: str
    alive: bool


@dataclass(frozen=True, slots=True)
class Crew:
    """All workers, and what they can do together."""

    workers: list[WorkerReport]

    @property
    def alive(self) -> list[WorkerReport]:
        """Those that were heard of in the last seconds."""
        return [worker for worker in self.workers if worker.alive]

    @property
    def slots(self) -> int:
        """How many tasks they can do at once."""
        return sum(worker.slots for worker in self.alive)

    @property
    def busy(self) -> int:
        """How many tasks they do now."""
        return sum(min(worker.busy, worker.slots) for worker in self.alive)

    def without_worker(self, queues: Iterable[str]) -> list[str]:
        """Name those of the queues that nobody takes from."""
        taken = {queue for worker in self.alive for queue in worker.queues}
        return sorted(set(queues) - taken)


def crew(session: Session) -> Crew:
    """Give the workers that live or are missed: seen within the last hour, and not gone as they should."""
    return Crew([WorkerReport(*row) for row in rows(session, _WORKERS, alive=ALIVE_SECONDS)])
