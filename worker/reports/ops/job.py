"""One job: every attempt, what came of it, and what its idempotency key met."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from domain.errors import JobNotFound
from domain.identifiers import public_id, row_key
from domain.job import JobStatus, KeySpace
from worker.reports.ops.snapshot import one, rows
from worker.store.row_format import emails_of

_JOB = text("""
SELECT job.id, job.created_at, job.status, job.key_space, job.idempotency_key, job.row_count, job.received,
    job.duplicates, job.skipped, job.errors, job.created, job.updated, job.unchanged, job.enrolled, job.attempts,
    job.suspect, job.last_error, job.taken_at, job.applied_by, job.finished_at, job.rows IS NOT NULL AS kept,
    octet_length(job.rows) AS bytes, job.trace, job.campaign_id,
    campaign.created_at AS campaign_created_at, campaign.name,
    origin.id AS origin, origin.created_at AS origin_created_at, anew.id AS anew, anew.created_at AS anew_created_at
FROM job
JOIN campaign ON campaign.id = job.campaign_id
LEFT JOIN job AS origin ON job.key_space = 'retry' AND origin.id = CAST(
    CASE WHEN job.key_space = 'retry' THEN job.idempotency_key END AS bigint)
LEFT JOIN job AS anew ON anew.workspace_id = job.workspace_id AND anew.key_space = 'retry'
    AND anew.idempotency_key = CAST(job.id AS text)
WHERE job.id = :number AND (CAST(:workspace AS bigint) IS NULL OR job.workspace_id = :workspace)
""")
_ATTEMPTS = text("""
SELECT attempt, together, worker, started_at, ended_at, error FROM job_attempt WHERE job_id = :number ORDER BY id DESC
""")


# What was sent to its leads since it was accepted, for jobs of few rows: those of many would be too long to look up.
_ROWS = text("SELECT rows FROM job WHERE id = :number AND row_count <= :most")
_SENDS = text("""
SELECT count(*) AS released, count(*) FILTER (WHERE send.status = 'sent') AS sent,
    min(send.created_at) AS released_at, max(send.finished_at) FILTER (WHERE send.status = 'sent') AS sent_at,
    min(send.finished_at) FILTER (WHERE send.status = 'sent') AS first_sent_at
FROM job
JOIN lead ON lead.campaign_id = job.campaign_id AND lead.email = ANY(:emails)
JOIN send ON send.lead_id = lead.id AND send.created_at >= job.created_at
WHERE job.id = :number
""")
_MOST_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Effects:
    """What was sent to the leads of a job since it was accepted."""

    released: int
    sent: int
    released_at: datetime | None
    sent_at: datetime | None
    first_sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try that failed. `together`: how many jobs were tried at once."""

    attempt: int
    together: int
    worker: str
    started_at: datetime
    ended_at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class JobDetail:
    """A job as an operator sees it. `lost`: tries whose worker never said what became of them; None: nobody knows.

    Failed attempts are kept as long as the rows (`kept`).
    """

    number: int
    id: str
    status: JobStatus
    campaign_id: str
    campaign: str
    key_space: KeySpace | None
    key: str | None
    origin: str | None
    anew: str | None
    counts: dict[str, int | None]
    row_count: int
    bytes: int | None
    kept: bool
    attempts: int
    lost: int | None
    failed_attempts: Sequence[Attempt]
    last_error: str | None
    accepted_at: datetime
    taken_at: datetime | None
    applied_by: str | None
    finished_at: datetime | None
    trace: str | None

    @property
    def wait_seconds(self) -> float | None:
        """How long it waited for the try that succeeded."""
        return (self.taken_at - self.accepted_at).total_seconds() if self.taken_at else None

    @property
    def run_seconds(self) -> float | None:
        """How long that try took."""
        return (self.finished_at - self.taken_at).total_seconds() if self.taken_at and self.finished_at else None


def read_job(session: Session, job_id: str, workspace: int | None) -> JobDetail:
    """Read one; `JobNotFound` where the workspace has none of this id."""
    key = row_key("job", job_id)
    found = rows(session, _JOB, number=key.number, workspace=workspace) if key else []
    if not found or public_id("job", found[0].id, found[0].created_at) != job_id.lower():
        raise JobNotFound(job_id=job_id)
    attempts = [Attempt(*row) for row in rows(session, _ATTEMPTS, number=found[0].id)]
    return _detail(found[0], attempts)


def read_effects(session: Session, number: int) -> Effects | None:
    """Tell what was sent to the leads of a job; None where it has too many rows, or none any more."""
    stored = rows(session, _ROWS, number=number, most=_MOST_ROWS)
    if not stored or stored[0].rows is None:
        return None
    emails = emails_of(bytes(stored[0].rows))
    return Effects(*one(session, _SENDS, number=number, emails=emails))


_COUNTS = ("received", "created", "updated", "unchanged", "enrolled", "duplicates", "skipped", "errors")


def _detail(row: Any, attempts: Sequence[Attempt]) -> JobDetail:
    told = sum(attempt.together == 1 for attempt in attempts)
    succeeded = 1 if row.status == "applied" else 0
    return JobDetail(
        number=row.id,
        id=public_id("job", row.id, row.created_at),
        status=row.status,
        campaign_id=public_id("camp", row.campaign_id, row.campaign_created_at),
        campaign=row.name,
        key_space=row.key_space,
        key=row.idempotency_key,
        origin=row.origin and public_id("job", row.origin, row.origin_created_at),
        anew=row.anew and public_id("job", row.anew, row.anew_created_at),
        counts={name: getattr(row, name) for name in _COUNTS},
        row_count=row.row_count,
        bytes=row.bytes,
        kept=row.kept,
        attempts=row.attempts,
        lost=max(row.attempts - told - succeeded, 0) if row.kept else None,
        failed_attempts=attempts,
        last_error=row.last_error,
        accepted_at=row.created_at,
        taken_at=row.taken_at,
        applied_by=row.applied_by,
        finished_at=row.finished_at,
        trace=row.trace,
    )
