"""Jobs as people see them: how far they are, and what they came to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy.orm import defer
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from domain.errors import JobNotFound
from domain.identifiers import public_id, row_key
from domain.job import JobStatus
from worker.reports.shapes import Shape, Time
from worker.store.campaigns import find_campaign
from worker.store.connection import transaction
from worker.store.tables import Campaign, Job, Workspace


class JobReport(Shape):
    """One accepted bulk upsert. What applying it comes to is None until it is applied."""

    id: str
    campaign_id: str
    status: JobStatus
    attempts: int
    received: int
    created: int | None
    updated: int | None
    unchanged: int | None
    enrolled: int | None
    duplicates: int
    skipped: int
    errors: int
    idempotency_key: str | None
    accepted_at: Time
    applied_at: Time | None
    last_error: str | None


# The rows of a job may be megabytes: nobody who asks how a job is doing reads them.
_WITHOUT_ROWS = [
    defer(cast("Any", column), raiseload=True)
    for column in (Job.rows, Job.row_errors, Job.duplicate_rows, Job.outcomes, Job.fingerprint)
]


def read_job(job_id: str) -> JobReport:
    """Read a job; `JobNotFound` when there is none of this id."""
    key = row_key("job", job_id)
    with transaction() as session:
        found = _read(session, _jobs().where(col(Job.number) == key.number)) if key else []
    if not found or found[0].id != job_id.lower():
        raise JobNotFound(job_id=job_id)
    return found[0]


def read_jobs(numbers: Sequence[int]) -> list[JobReport]:
    """Read jobs by their numbers in the store, oldest first: what somebody who waits for them looks at."""
    with transaction() as session:
        return _read(session, _jobs().where(col(Job.number).in_(numbers)).order_by(col(Job.number)))


def list_jobs(
    limit: int, *, campaign_id: str | None = None, status: JobStatus | None = None, key: str | None = None
) -> list[JobReport]:
    """List jobs, newest first. `key`: the one its sender chose, or the id of the Celery task that brought it."""
    query = _jobs().order_by(col(Job.number).desc()).limit(limit)
    if status:
        query = query.where(col(Job.status) == status)
    if key:
        # With its leading columns named, the unique index serves a key of any workspace.
        spaces = ("user", "celery", "stream")
        query = query.where(
            col(Job.workspace_number).in_(select(Workspace.number)),
            col(Job.key_space).in_(spaces),
            col(Job.idempotency_key) == key,
        )
    with transaction() as session:
        if campaign_id is not None:
            query = query.where(col(Job.campaign_number) == find_campaign(session, campaign_id).number)
        return _read(session, query)


def _jobs() -> "Select[Job, datetime]":
    on = col(Campaign.number) == col(Job.campaign_number)
    return select(Job, col(Campaign.created_at)).join(Campaign, on).options(*_WITHOUT_ROWS)


def _read(session: Session, query: "Select[Job, datetime]") -> list[JobReport]:
    return [_report(job, campaign_created_at) for job, campaign_created_at in session.exec(query)]


def _report(job: Job, campaign_created_at: datetime) -> JobReport:
    return JobReport(
        id=job.public_id,
        campaign_id=public_id("camp", job.campaign_number, campaign_created_at),
        status=job.status,
        attempts=job.attempts,
        received=job.received,
        created=job.created,
        updated=job.updated,
        unchanged=job.unchanged,
        enrolled=job.enrolled,
        duplicates=job.duplicates,
        skipped=job.skipped,
        errors=job.errors,
        idempotency_key=job.idempotency_key if job.key_space != "retry" else None,
        accepted_at=job.created_at,
        applied_at=job.finished_at if job.status == "applied" else None,
        last_error=job.last_error,
    )
