"""Jobs by filter."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from domain.errors import CampaignNotFound
from domain.identifiers import public_id, row_key
from domain.job import JobStatus
from domain.operation import MAX_ITEMS
from worker.reports.ops.failures import NOT_RETRIED, Sort, messages_of
from worker.reports.ops.listing import Condition, Listing, Source, Where, count, listing, of_class, when
from worker.store.operating import Plan


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs. `failing`: accepted, and tried in vain at least once. `unretried`: nobody accepted it anew.

    `error`: the class of the last error. `kind`: the id of a kind of failure. `numbers`: these very ones.
    """

    status: JobStatus | None = None
    failing: bool = False
    unretried: bool = False
    campaign: str | None = None
    sort: Sort | None = None
    kind: str | None = None
    error: str | None = None
    attempts: int | None = None
    minutes: int | None = None
    key: str | None = None
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job in a list."""

    id: str
    campaign_id: str
    campaign: str
    status: JobStatus
    attempts: int
    received: int
    errors: int
    accepted_at: datetime
    finished_at: datetime | None
    last_error: str | None


_SOURCE = Source(
    select="job.created_at, job.status, job.attempts, job.received, job.errors, job.finished_at, job.last_error,"
    " job.campaign_id, campaign.created_at AS campaign_created_at, campaign.name",
    tables="job JOIN campaign ON campaign.id = job.campaign_id",
    number="job.id",
)


def list_jobs(
    session: Session, workspace: int | None, wanted: JobFilter, before: int | None = None
) -> Listing[JobLine]:
    """List jobs, newest first."""
    return listing(session, _SOURCE, _where(session, workspace, wanted), _line, before)


def count_jobs(session: Session, workspace: int | None, wanted: JobFilter) -> int:
    """Count the jobs that `list_jobs` lists."""
    return count(session, _SOURCE, _where(session, workspace, wanted))


def retry_plan(session: Session, workspace: int | None, wanted: JobFilter, described: str) -> Plan:
    """Plan to retry the dead ones of these jobs. What was retried before has its new job."""
    where = _where(session, workspace, wanted)
    chosen = f"""
        SELECT job.id, retried.id IS NULL AND job.status = 'dead' AND job.rows IS NOT NULL AS eligible,
            CASE WHEN retried.id IS NOT NULL THEN 'retried before' WHEN job.status <> 'dead' THEN 'it is ' || job.status
                ELSE 'its rows are gone' END AS reason
        FROM {_SOURCE.tables}
        LEFT JOIN job AS retried ON retried.workspace_id = job.workspace_id
            AND retried.key_space = 'retry' AND retried.idempotency_key = CAST(job.id AS text)
        WHERE {where.sql} ORDER BY job.id LIMIT {2 * MAX_ITEMS}
    """  # noqa: S608  # our own text
    return Plan("retryJobs", described, chosen, where.parameters)


def _where(session: Session, workspace: int | None, wanted: JobFilter) -> Where:
    return Where.all_of(
        when(workspace is not None, "job.workspace_id = :workspace", workspace=workspace),
        when(wanted.status, "job.status = :status", status=wanted.status),
        when(wanted.failing, "job.status = 'accepted' AND job.last_error IS NOT NULL"),
        when(wanted.unretried, NOT_RETRIED),
        when(wanted.campaign, "job.campaign_id = :campaign", campaign=_campaign(wanted.campaign)),
        of_class("job.last_error", wanted.error),
        when(wanted.attempts, "job.attempts >= :attempts", attempts=wanted.attempts),
        when(wanted.minutes, "job.created_at > now() - :minutes * interval '1 minute'", minutes=wanted.minutes),
        when(wanted.numbers, "job.id = ANY(:numbers)", numbers=list(wanted.numbers)),
        when(wanted.key, _OF_KEY, key=wanted.key),
        _of_kind(session, workspace, wanted),
    )


# With its leading columns named, the unique index serves a key of any workspace.
_OF_KEY = (
    "job.workspace_id IN (SELECT id FROM workspace) AND job.key_space IN ('user', 'celery', 'stream', 'hook')"
    " AND job.idempotency_key = :key"
)


def _of_kind(session: Session, workspace: int | None, wanted: JobFilter) -> Condition | None:
    if not wanted.kind or wanted.sort not in {"deadJobs", "failingJobs"}:
        return None
    messages = messages_of(session, wanted.sort, wanted.kind, workspace)
    return "coalesce(job.last_error, '') = ANY(:messages)", {"messages": [message or "" for message in messages]}


def _campaign(campaign_id: str | None) -> int | None:
    key = row_key("camp", campaign_id) if campaign_id else None
    if key is None and campaign_id:
        raise CampaignNotFound(campaign_id=campaign_id)
    return key and key.number


def _line(row: Any) -> JobLine:
    return JobLine(
        id=public_id("job", row.number, row.created_at),
        campaign_id=public_id("camp", row.campaign_id, row.campaign_created_at),
        campaign=row.name,
        status=row.status,
        attempts=row.attempts,
        received=row.received,
        errors=row.errors,
        accepted_at=row.created_at,
        finished_at=row.finished_at,
        last_error=row.last_error,
    )
