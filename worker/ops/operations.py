"""Bulk operations: previewed, which freezes the set; run by a worker; cancelled."""

from typing import Annotated, cast
from urllib.parse import parse_qsl

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from domain.errors import InvalidRequest
from domain.identifiers import row_key
from domain.operation import KINDS, TYPE_THE_COUNT_OVER, OperationKind
from worker.ops import jobs, sends
from worker.ops.deeds import audited, demand_why
from worker.ops.door import Acting, Looking, Visit
from worker.ops.pages import PageRoute, go, page
from worker.reports.ops.audit import audit_lines
from worker.reports.ops.jobs import retry_plan
from worker.reports.ops.operations import list_operations, outcomes, read_operation
from worker.reports.ops.sends import resolve_plan
from worker.reports.ops.snapshot import snapshot
from worker.store import operating
from worker.store.operating import Plan

router = APIRouter(prefix="/operations", route_class=PageRoute)
_SHOWN = 50


@router.get("")
def list_(request: Request, visit: Looking, before: Annotated[int | None, Query(ge=1)] = None) -> HTMLResponse:
    """List bulk operations."""
    with snapshot() as session:
        found = list_operations(session, visit.workspace, _SHOWN, before=before)
    older = found[-1].number if len(found) == _SHOWN else None
    return page(request, visit, "operations.html", "operations", operations=found, older=older)


@router.get("/{operation_id}")
def show(request: Request, visit: Looking, operation_id: str) -> HTMLResponse:
    """Show one: its preview, how far it is, or what came of it."""
    with snapshot() as session:
        found = read_operation(session, operation_id, visit.workspace)
        came_to = outcomes(session, found.number)
        lines = audit_lines(session, None, 20, target=found.id)
    shown = {"operation": found, "outcomes": came_to, "lines": lines, "type_over": TYPE_THE_COUNT_OVER}
    return page(request, visit, "operation.html", "operations", **shown)


@router.post("")
def preview(visit: Acting) -> Response:
    """Freeze the set that a filter or a selection names, and show what would be done to it."""
    with audited(visit, "operation.preview") as (session, line):
        plan = _plan(session, visit)
        operation = operating.preview(session, visit.operator.own_workspace, visit.operator.who, plan)
        line.target, line.before = operation.public_id, plan.filter
        line.after = f"{operation.eligible} eligible, {sum(operation.ineligible.values())} not"
    return go(f"/ops/operations/{operation.public_id}")


@router.post("/{operation_id}/run")
def run(visit: Acting, operation_id: str) -> Response:
    """Let a worker do it."""
    with audited(visit, "operation.run", operation_id) as (session, line):
        line.why = why = demand_why(visit)
        operation = operating.find_operation(session, operation_id, visit.workspace)
        if operation.eligible > TYPE_THE_COUNT_OVER and visit.given("count") != str(operation.eligible):
            raise InvalidRequest(reason=f"type how many it is about, {operation.eligible}")
        operating.begin(session, operation, why)
        line.before, line.after = "previewed", f"running on {operation.eligible}"
    return go(f"/ops/operations/{operation_id}", "running")


@router.post("/{operation_id}/cancel")
def cancel(visit: Acting, operation_id: str) -> Response:
    """Let it end after the items in hand."""
    with audited(visit, "operation.cancel", operation_id) as (session, line):
        operation = operating.find_operation(session, operation_id, visit.workspace)
        line.before = operation.status
        operating.cancel(operation)
        line.after = f"cancelling, {operation.done} done"
    return go(f"/ops/operations/{operation_id}", "cancelling")


def _plan(session: Session, visit: Visit) -> Plan:
    kind, query = visit.given("kind"), dict(parse_qsl(visit.given("filter")))
    if kind not in KINDS:
        raise InvalidRequest(reason="there is no such bulk operation")
    selected = visit.form.get("item", []) if visit.given("which") == "selected" else []
    described = f"{len(selected)} selected" if selected else visit.given("filter") or "all"
    if visit.given("which") == "selected" and not selected:
        raise InvalidRequest(reason="nothing is selected")
    if kind == "retryJobs":
        wanted = jobs.filter_of(query)
        chosen = jobs.only(wanted, _numbers("job", selected))
        return retry_plan(session, visit.workspace, chosen, described)
    chosen_sends = sends.only(sends.filter_of(query), _numbers("send", selected))
    return resolve_plan(session, visit.workspace, chosen_sends, cast("OperationKind", kind), described)


def _numbers(prefix: str, ids: list[str]) -> tuple[int, ...]:
    return tuple(key.number for key in (row_key(prefix, each) for each in ids) if key is not None)
