"""Jobs: how far they are, what they came to, and dead ones accepted anew."""

from typing import Annotated

from fastapi import APIRouter, Query

from domain.job import MAX_KEY_CHARACTERS, JobStatus
from worker.reports.jobs import JobFilter, JobReport, list_jobs, read_job
from worker.reports.results import RowReport, read_results
from worker.store import ledger
from worker.web.caller import LeadsWriter, Reader
from worker.web.openapi import failures
from worker.web.paging import DEFAULT_LIMIT, Cursor, Limit, number_of, page, position_of
from worker.web.shapes import Data, Page

router = APIRouter(prefix="/jobs", tags=["Jobs"])

OfCampaign = Annotated[str | None, Query(alias="campaignId", description="Only of this campaign.")]
OfStatus = Annotated[JobStatus | None, Query(description="Only with this status.")]
OfKey = Annotated[
    str | None,
    Query(
        alias="idempotencyKey",
        max_length=MAX_KEY_CHARACTERS,
        pattern="^[!-~]+$",
        description="Only with this key, or brought by the Celery task of this id.",
    ),
]


@router.get("", responses=failures(400, 404))
def list_(  # noqa: PLR0913, PLR0917  # a filter each
    key: Reader,
    campaign_id: OfCampaign = None,
    status: OfStatus = None,
    idempotency_key: OfKey = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[JobReport]:
    """List jobs, newest first."""
    wanted = JobFilter(key.workspace, campaign_id, status, idempotency_key)
    return page(list_jobs(limit + 1, wanted, number_of(cursor, "job")), limit, lambda job: job.id)


@router.get("/{job_id}", responses=failures(404))
def show(job_id: str, key: Reader) -> Data[JobReport]:
    """Show a job: its status, its counts, and why it failed if it did."""
    return Data(data=read_job(job_id, key.workspace))


@router.post("/{job_id}/retry", status_code=202, responses=failures(404, 409))
def retry(job_id: str, key: LeadsWriter) -> Data[JobReport]:
    """Accept a dead job anew, as a new job at the end of its lane; gives the new job. Again: the same new job."""
    return Data(data=read_job(ledger.retry(job_id, key.workspace), key.workspace))


@router.get("/{job_id}/results", responses=failures(400, 404, 409, 410))
def results(job_id: str, key: Reader, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[RowReport]:
    """List what became of each row of an applied job, in input order."""
    found = read_results(job_id, limit + 1, workspace=key.workspace, start=position_of(cursor))
    return page(found, limit, lambda row: str(row.index + 1))
