"""Failures, grouped by kind."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from worker.ops.door import Looking
from worker.ops.pages import PageRoute, page
from worker.reports.ops.failures import SCANNED, groups
from worker.reports.ops.snapshot import snapshot

router = APIRouter(prefix="/failures", route_class=PageRoute)


@router.get("")
def list_(request: Request, visit: Looking) -> HTMLResponse:
    """List the kinds of failures there are."""
    with snapshot() as session:
        found = groups(session, visit.workspace)
    return page(request, visit, "failures.html", "failures", groups=found, scanned=SCANNED)
