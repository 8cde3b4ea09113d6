"""Jobs as people see them: how far they are, and what they came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement
from sqlalchemy.orm import defer
from sqlmodel import Session, and_, col, func, not_, or_, select
from sqlmodel.sql.expression import Select

from domain.errors import JobNotFound
from domain.identifiers import public_id, row_key
from domain.job import JobStatus
from worker.reports.shapes import Shape, Time
from worker.store.campaigns import find_campaign
from worker.store.connection import transaction
from worker.store.tables import Campaign, Job, Lead, Workspace


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


_OUR_OWN_KEYS = ("import", "retry")
# The rows of a job may be megabytes: nobody who asks how a job is doing reads them.
_WITHOUT_ROWS = [
    defer(cast("Any", column), raiseload=True)
    for column in (Job.rows, Job.row_errors, Job.duplicate_rows, Job.outcomes, Job.fingerprint)
]


def read_job(job_id: str, workspace: int | None = None) -> JobReport:
    """Read a job; `JobNotFound` when there is none of this id, in this workspace (None: in any)."""
    key = row_key("job", job_id)
    with transaction() as session:
        found = _read(session, _jobs(workspace).where(col(Job.number) == key.number)) if key else []
    if not found or found[0].id != job_id.lower():
        raise JobNotFound(job_id=job_id)
    return found[0]


def read_jobs(numbers: Sequence[int]) -> list[JobReport]:
    """Read jobs by their numbers in the store, oldest first: what somebody who waits for them looks at."""
    with transaction() as session:
        return _read(session, _jobs().where(col(Job.number).in_(numbers)).order_by(col(Job.number)))


def read_finished_jobs(numbers: Sequence[int]) -> dict[int, JobReport]:
    """Read those of the jobs, by their numbers, that are through: dead, or applied and everybody due released."""
    due_since = select(Lead.number).where(
        col(Lead.campaign_number) == col(Campaign.number), col(Lead.due_at) <= col(Job.finished_at)
    )
    held_up = and_(col(Campaign.status) == "running", due_since.exists())
    through = or_(col(Job.status) == "dead", and_(col(Job.status) == "applied", not_(held_up)))
    with transaction() as session:
        found = session.exec(_jobs().where(col(Job.number).in_(numbers), through))
        return {job.number: _report(job, campaign_created_at) for job, campaign_created_at in found}


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs; None: whichever. `key`: the one its sender chose, or the id of the Celery task that brought it."""

    workspace: int | None = None
    campaign_id: str | None = None
    status: JobStatus | None = None
    key: str | None = None


def list_jobs(limit: int, wanted: JobFilter | None = None, before: int | None = None) -> list[JobReport]:
    """List jobs, newest first; `before`: only those with a smaller number."""
    wanted = wanted or JobFilter()
    query = _jobs(wanted.workspace).order_by(col(Job.number).desc()).limit(limit)
    if before is not None:
        query = query.where(col(Job.number) < before)
    if wanted.status:
        query = query.where(col(Job.status) == wanted.status)
    if wanted.key:
        query = query.where(*_has_key(wanted.key))
    with transaction() as session:
        if wanted.campaign_id is not None:
            campaign = find_campaign(session, wanted.campaign_id, wanted.workspace)
            query = query.where(col(Job.campaign_number) == campaign.number)
        return _read(session, query)


def count_waiting() -> dict[int, int]:
    """Count the accepted jobs of each workspace that has some."""
    waiting = select(col(Job.workspace_number), func.count()).where(col(Job.status) == "accepted")
    with transaction() as session:
        return dict(session.exec(waiting.group_by(col(Job.workspace_number))).all())


def _has_key(key: str) -> list[ColumnElement[bool]]:
    # With its leading columns named, the unique index serves a key of any workspace.
    return [
        col(Job.workspace_number).in_(select(Workspace.number)),
        col(Job.key_space).in_(("user", "celery", "stream", "hook")),
        col(Job.idempotency_key) == key,
    ]


def _jobs(workspace: int | None = None) -> "Select[Job, datetime]":
    on = col(Campaign.number) == col(Job.campaign_number)
    query = select(Job, col(Campaign.created_at)).join(Campaign, on).options(*_WITHOUT_ROWS)
    return query if workspace is None else query.where(col(Job.workspace_number) == workspace)


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
        idempotency_key=job.idempotency_key if job.key_space not in _OUR_OWN_KEYS else None,
        accepted_at=job.created_at,
        applied_at=job.finished_at if job.status == "applied" else None,
        last_error=job.last_error,
    )
