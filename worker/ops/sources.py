"""Sources of webhooks."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from worker.ops.door import Looking
from worker.ops.pages import PageRoute, page
from worker.reports.ops.snapshot import snapshot
from worker.reports.ops.sources import list_sources, read_source

router = APIRouter(prefix="/sources", route_class=PageRoute)


@router.get("")
def list_(request: Request, visit: Looking, before: Annotated[int | None, Query(ge=1)] = None) -> HTMLResponse:
    """List sources."""
    with snapshot() as session:
        found = list_sources(session, visit.workspace, before)
    return page(request, visit, "sources.html", "sources", sources=found)


@router.get("/{source_id}")
def show(request: Request, visit: Looking, source_id: str) -> HTMLResponse:
    """Show a source, and what became of its last deliveries."""
    with snapshot() as session:
        source, deliveries = read_source(session, source_id, visit.workspace)
    return page(request, visit, "source.html", "sources", source=source, deliveries=deliveries)
