"""What became of each row of an applied job."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice

from sqlmodel import Session

from domain.errors import JobNotApplied, ResultsExpired
from domain.job import Action, RowResult, row_results
from domain.rows import RowErrorCode
from worker.reports.leads import ids_of
from worker.reports.shapes import Shape
from worker.settings import settings
from worker.store.connection import transaction
from worker.store.ledger import find_job
from worker.store.row_format import emails_of
from worker.store.tables import Job


class RowReport(Shape):
    """What became of the input row `index`; `code` where it was not taken."""

    index: int
    email: str | None
    action: Action
    lead_id: str | None
    code: RowErrorCode | None


def read_results(job_id: str, limit: int, *, workspace: int | None = None, start: int = 0) -> list[RowReport]:
    """Read what became of the input rows from `start` on, in input order.

    `JobNotFound`, `JobNotApplied`, or `ResultsExpired` once the rows are no longer kept.
    """
    with transaction() as session:
        job = find_job(session, job_id, workspace)
        _refuse_unknown_results(job, job_id)
        return _reports(session, job, list(islice(_results(job), start, start + limit)))


def _refuse_unknown_results(job: Job, job_id: str) -> None:
    if job.status != "applied":
        raise JobNotApplied(job_id=job_id, status=job.status)
    if job.rows is None and job.finished_at:
        kept_until = job.finished_at + timedelta(days=settings().retention_days)
        raise ResultsExpired(job_id=job_id, expired_at=f"{kept_until:%F %T}Z")


def _results(job: Job) -> "Sequence[RowResult]":
    pairs = job.duplicate_rows or []
    duplicates = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return list(row_results(job.received, _errors(job), duplicates, job.outcomes or ""))


def _errors(job: Job) -> dict[int, dict[str, object]]:
    return {int(error["index"]): error for error in job.row_errors or []}


def _reports(session: Session, job: Job, results: Sequence[RowResult]) -> list[RowReport]:
    emails, errors = emails_of(job.rows or b""), _errors(job)
    wanted = {emails[result.position] for result in results if result.position is not None}
    ids = ids_of(session, job.campaign_number, sorted(wanted))
    return [_report(result, emails, ids, errors.get(result.index, {})) for result in results]


def _report(result: RowResult, emails: Sequence[str], ids: dict[str, str], error: dict[str, object]) -> RowReport:
    email = error.get("email") if result.position is None else emails[result.position]
    return RowReport.model_validate(
        {
            "index": result.index,
            "email": email,
            "action": result.action,
            "lead_id": ids.get(str(email)),
            "code": error.get("code"),
        }
    )
