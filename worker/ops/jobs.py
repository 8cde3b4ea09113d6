"""Jobs, and one job."""

import csv
import io
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter

from domain.errors import JobNotApplied, ResultsExpired
from domain.masking import mask
from worker.ops.deeds import audited
from worker.ops.door import Acting, Looking, Visit
from worker.ops.pages import PageRoute, go, page, query_of
from worker.reports.ops.audit import audit_lines
from worker.reports.ops.job import read_effects, read_job
from worker.reports.ops.jobs import JobFilter, list_jobs
from worker.reports.ops.operations import operations_on_job
from worker.reports.ops.snapshot import in_time, snapshot
from worker.reports.ops.waterfall import waterfall
from worker.reports.results import RowReport, read_results
from worker.settings import settings
from worker.store import ledger

router = APIRouter(prefix="/jobs", route_class=PageRoute)

Before = Annotated[int | None, Query(ge=1)]
Start = Annotated[int, Query(ge=0, le=10_000)]
_FILTER = TypeAdapter(JobFilter)
_RESULTS_SHOWN = 100
_LINES_SHOWN = 20
_EXPORTED = 10_000


def filter_of(given: dict[str, str]) -> JobFilter:
    """Read a filter from the query of an address."""
    names = JobFilter.__dataclass_fields__.keys()
    return _FILTER.validate_python(
        {name: value for name, value in given.items() if value and name in names - {"numbers"}}
    )


def only(wanted: JobFilter, numbers: tuple[int, ...]) -> JobFilter:
    """Narrow a filter to these jobs, if there are any."""
    return replace(wanted, numbers=numbers)


@router.get("")
def list_(request: Request, visit: Looking, before: Before = None) -> HTMLResponse:
    """List jobs by filter."""
    wanted = filter_of(dict(request.query_params))
    with snapshot() as session:
        found = list_jobs(session, visit.workspace, wanted, before)
    return page(request, visit, "jobs.html", "jobs", jobs=found, wanted=wanted, query=query_of(wanted))


@router.get("/{job_id}")
def show(request: Request, visit: Looking, job_id: str, start: Start = 0) -> HTMLResponse:
    """Show one: its attempts, and what became of its rows."""
    with snapshot() as session:
        job = read_job(session, job_id, visit.workspace)
        effects = in_time(session, lambda: read_effects(session, job.number)) if job.status == "applied" else None
        lines = audit_lines(session, None, _LINES_SHOWN, target=job.id)
        operations = operations_on_job(session, job.number, _LINES_SHOWN)
    results, why_none = _results(visit, job.id, start, _RESULTS_SHOWN)
    rows = {"results": results, "why_none": why_none, "start": start, "page_rows": _RESULTS_SHOWN}
    path = {"effects": effects, "bars": waterfall(job, effects), "most_attempts": settings().max_attempts}
    return page(request, visit, "job.html", "jobs", job=job, lines=lines, operations=operations, **rows, **path)


@router.get("/{job_id}/rows.csv")
def export(visit: Looking, job_id: str) -> Response:
    """Give what became of the rows as CSV, as masked as the page is."""
    results, _ = _results(visit, job_id, 0, _EXPORTED)
    unmasked = visit.operator.unmasked and visit.operator.may("ops:unmask")
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["index", "email", "action", "code"])
    for row in results:
        email = row.email if unmasked else mask(row.email)
        table.writerow([row.index, _no_formula(email or ""), row.action, row.code or ""])
    headers = {"Content-Disposition": f'attachment; filename="{job_id}.csv"', "Cache-Control": "no-store"}
    return Response(written.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/{job_id}/retry")
def retry(visit: Acting, job_id: str) -> Response:
    """Accept a dead job anew."""
    with audited(visit, "job.retry", job_id) as (session, line):
        anew = ledger.retry_within(session, job_id, visit.workspace)
        line.before, line.after = "dead", f"accepted anew as {anew}"
    return go(f"/ops/jobs/{anew}", "retried")


def _results(visit: Visit, job_id: str, start: int, most: int) -> tuple[list[RowReport], str]:
    try:
        return read_results(job_id, most, workspace=visit.workspace, start=start), ""
    except (JobNotApplied, ResultsExpired) as refusal:
        return [], str(refusal)


def _no_formula(cell: str) -> str:
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@"} else cell
