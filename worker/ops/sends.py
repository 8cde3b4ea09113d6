"""Sends: the unknown ones above all, which only a person can resolve."""

from dataclasses import replace
from typing import Annotated, cast

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter

from domain.errors import InvalidRequest
from domain.send import Resolution
from worker.ops.deeds import audited, demand_why
from worker.ops.door import Acting, Looking
from worker.ops.pages import PageRoute, go, page, query_of
from worker.reports.ops.sends import SendFilter, list_sends
from worker.reports.ops.snapshot import snapshot
from worker.store import outbox

router = APIRouter(prefix="/sends", route_class=PageRoute)
_FILTER = TypeAdapter(SendFilter)


def filter_of(given: dict[str, str]) -> SendFilter:
    """Read a filter from the query of an address."""
    names = SendFilter.__dataclass_fields__.keys()
    return _FILTER.validate_python(
        {name: value for name, value in given.items() if value and name in names - {"numbers"}}
    )


def only(wanted: SendFilter, numbers: tuple[int, ...]) -> SendFilter:
    """Narrow a filter to these sends, if there are any."""
    return replace(wanted, numbers=numbers)


@router.get("")
def list_(request: Request, visit: Looking, before: Annotated[int | None, Query(ge=1)] = None) -> HTMLResponse:
    """List sends by filter."""
    wanted = filter_of(dict(request.query_params))
    with snapshot() as session:
        found = list_sends(session, visit.workspace, wanted, before)
    tab = "unknown" if wanted.status == "unknown" else "failures"
    return page(request, visit, "sends.html", tab, sends=found, wanted=wanted, query=query_of(wanted))


@router.post("/{send_id}/resolve")
def resolve(visit: Acting, send_id: str) -> Response:
    """Settle one send, as a person has found out."""
    with audited(visit, "send.resolve", send_id) as (session, line):
        line.why = demand_why(visit)
        given = visit.given("as")
        if given not in {"sent", "notSent"}:
            raise InvalidRequest(reason="a send is resolved as `sent` or as `notSent`")
        line.before = "unknown"
        line.after = outbox.resolve(session, send_id, cast("Resolution", given), visit.workspace).status
    return go(visit.given("back") or "/ops/sends?status=unknown", "resolved")
