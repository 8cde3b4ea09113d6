"""What applying a batch came to, for whoever counts or goes on from there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import text

from domain.identifiers import public_id
from worker.observability.labels import RowOutcome
from worker.store.connection import transaction

_IDS = text("SELECT id, created_at FROM job WHERE id = ANY(:numbers) ORDER BY id")
_OUTCOMES: tuple[RowOutcome, ...] = ("created", "updated", "unchanged", "duplicate", "skipped", "error")


@dataclass(frozen=True, slots=True)
class Applied:
    """Jobs applied together. `waits`: seconds from the acceptance of each to its being taken."""

    accepted_at: datetime
    waits: Sequence[float]
    traces: Sequence[str]
    rows: Mapping[RowOutcome, int]

    @classmethod
    def of(cls, jobs: Sequence[Any]) -> Self:
        """Add up the rows of jobs as the merge gives them back."""
        counts = [sum(counts) for counts in zip(*(job.row_counts for job in jobs), strict=True)]
        return cls(
            accepted_at=min(job.created_at for job in jobs),
            waits=[job.waited for job in jobs],
            traces=sorted({job.trace for job in jobs if job.trace}),
            rows=dict(zip(_OUTCOMES, counts, strict=True)),
        )


def job_ids(numbers: Sequence[int]) -> list[str]:
    """Give the public ids of jobs, for whoever tells people of them."""
    with transaction() as session:
        found = session.connection().execute(_IDS, {"numbers": list(numbers)}).all()
    return [public_id("job", number, created_at) for number, created_at in found]
