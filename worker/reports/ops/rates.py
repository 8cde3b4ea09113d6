"""How fast the stages are: what they did in the last minutes."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from domain.stage import STAGES, Stage, quantile
from worker.reports.ops.snapshot import one, rows

WINDOW_MINUTES = 5
_NEWEST_JOBS = 2_000

# The window begins with a full minute, so that what is counted and the time it is divided by are the same.
_WORKED = text("""
SELECT stage, wait_band, run_band, sum(done) AS done, sum(failed) AS failed, sum(retried) AS retried,
    extract(epoch FROM now() - date_trunc('minute', now())) + 60 * (:minutes - 1) AS seconds
FROM stage_minute
WHERE minute >= date_trunc('minute', now()) - (:minutes - 1) * interval '1 minute'
    AND (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace)
GROUP BY stage, wait_band, run_band
""")

# Accepting is counted from the jobs, so that no request pays for it.
_ACCEPTED = text("""
SELECT count(*) AS jobs, least(
    extract(epoch FROM now() - min(created_at)), 60 * :minutes
) AS seconds
FROM (
    SELECT created_at FROM job
    WHERE CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace
    ORDER BY id DESC LIMIT :newest
) AS newest
WHERE created_at > now() - :minutes * interval '1 minute'
""")

# The newest minute first: a day of them, of every process, is not read to find the last.
_LAST_SUCCESS = text("""
SELECT extract(epoch FROM now() - max(done_at)) FROM stage_minute
WHERE (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace) AND minute = (
    SELECT minute FROM stage_minute
    WHERE done_at IS NOT NULL AND (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace)
    ORDER BY minute DESC LIMIT 1
)
""")

_LAST_SWEEP = text("SELECT extract(epoch FROM now() - max(minute)) FROM stage_age")


@dataclass(slots=True)
class Rate:
    """What a stage did in the window."""

    done: int = 0
    failed: int = 0
    retried: int = 0
    seconds: float = 60.0 * WINDOW_MINUTES
    waits: Counter[int] = field(default_factory=Counter)
    runs: Counter[int] = field(default_factory=Counter)

    @property
    def per_minute(self) -> float:
        """How many a minute."""
        return 60 * self.done / max(self.seconds, 1.0)

    @property
    def wait_p95(self) -> float | None:
        """What 95 of 100 waited at most, in seconds."""
        return quantile(self.waits, 0.95)

    @property
    def run_p95(self) -> float | None:
        """What 95 of 100 took at most, with what they were done together with."""
        return quantile(self.runs, 0.95)


def rates(session: Session, workspace: int | None) -> dict[Stage, Rate]:
    """Give the rates of all stages."""
    found: dict[Stage, Rate] = {stage: Rate() for stage in STAGES}
    for row in rows(session, _WORKED, workspace=workspace, minutes=WINDOW_MINUTES):
        _add(found[row.stage], row)
    accepted = one(session, _ACCEPTED, workspace=workspace, minutes=WINDOW_MINUTES, newest=_NEWEST_JOBS)
    found["accept"].done = accepted.jobs
    if accepted.jobs == _NEWEST_JOBS:
        found["accept"].seconds = float(accepted.seconds)
    return found


def last_success(session: Session, workspace: int | None) -> float | None:
    """Tell how many seconds ago anything was done last; None: not within a day."""
    return _float(one(session, _LAST_SUCCESS, workspace=workspace)[0])


def last_sweep(session: Session) -> float | None:
    """Tell how many seconds ago, to the minute, a worker swept last; None: not within a day."""
    return _float(one(session, _LAST_SWEEP)[0])


def _add(rate: Rate, row: Any) -> None:
    rate.done += int(row.done)
    rate.failed += int(row.failed)
    rate.retried += int(row.retried)
    rate.seconds = float(row.seconds)
    rate.waits[row.wait_band] += int(row.done)
    rate.runs[row.run_band] += int(row.done)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
