"""The audit, and the search."""

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from worker.ops.door import Looking
from worker.ops.looks import address
from worker.ops.pages import PageRoute, go, page
from worker.reports.ops.audit import audit_lines
from worker.reports.ops.search import find_leads, send_of
from worker.reports.ops.snapshot import snapshot

router = APIRouter(route_class=PageRoute)
_SHOWN = 100
_PAGES = {"job": "/ops/jobs/", "camp": "/ops/campaigns/", "src": "/ops/sources/", "op": "/ops/operations/"}
_ID = re.compile(r"(job|camp|src|op|send)_[0-9a-z]{26}", re.IGNORECASE)


@router.get("/audit")
def list_(
    request: Request,
    visit: Looking,
    action: str = "",
    target: str = "",
    before: Annotated[int | None, Query(ge=1)] = None,
) -> HTMLResponse:
    """List what people did."""
    with snapshot() as session:
        found = audit_lines(
            session, visit.workspace, _SHOWN, action=action or None, target=target or None, before=before
        )
    older = found[-1].number if len(found) == _SHOWN else None
    shown = {"lines": found, "older": older, "action": action, "target": target}
    return page(request, visit, "audit.html", "audit", **shown)


@router.get("/search", response_model=None)
def search(request: Request, visit: Looking, q: str = "") -> Response:
    """Lead to what an id, an address or an idempotency key names."""
    asked = q.strip()
    found = _ID.fullmatch(asked)
    if found and found[1].lower() in _PAGES:
        return go(_PAGES[found[1].lower()] + asked.lower())
    if found:
        with snapshot() as session:
            return go(send_of(session, asked, visit.workspace))
    if "@" in asked:
        with snapshot() as session:
            leads = find_leads(session, asked, visit.workspace)
        return page(request, visit, "search.html", "campaigns", leads=leads)
    return go(address("/ops/jobs", key=asked))
