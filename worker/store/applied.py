"""What applying a batch came to, read back in its transaction, for whoever counts or goes on from there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from domain.identifiers import public_id
from worker.observability.labels import RowOutcome
from worker.store.connection import transaction

# One statement a batch, 0.3 ms: the merge counts by segment, and this is over all of them.
_READ = text("""
SELECT
    min(created_at), array_agg(extract(epoch FROM coalesce(taken_at, now()) - created_at) ORDER BY id),
    array_remove(array_agg(DISTINCT trace), NULL),
    sum(created), sum(updated - unchanged), sum(unchanged), sum(duplicates), sum(skipped), sum(errors)
FROM job WHERE id = ANY(:numbers)
""")
_IDS = text("SELECT id, created_at FROM job WHERE id = ANY(:numbers) ORDER BY id")
_OUTCOMES: tuple[RowOutcome, ...] = ("created", "updated", "unchanged", "duplicate", "skipped", "error")


@dataclass(frozen=True, slots=True)
class Applied:
    """Jobs applied together. `waits`: seconds from the acceptance of each to its being taken."""

    accepted_at: datetime
    waits: Sequence[float]
    traces: Sequence[str]
    rows: Mapping[RowOutcome, int]


def job_ids(numbers: Sequence[int]) -> list[str]:
    """Give the public ids of jobs, for whoever tells people of them."""
    with transaction() as session:
        found = session.connection().execute(_IDS, {"numbers": list(numbers)}).all()
    return [public_id("job", number, created_at) for number, created_at in found]


def read_applied(session: Session, numbers: Sequence[int]) -> Applied:
    """Read back what has just been applied."""
    found = session.connection().execute(_READ, {"numbers": list(numbers)}).one()
    oldest, waits, traces, *counts = found
    return Applied(oldest, [float(wait) for wait in waits], traces, dict(zip(_OUTCOMES, counts, strict=True)))
