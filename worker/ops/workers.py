"""Queues and workers: who works, what waits, and pausing a stage."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from domain.stage import PAUSABLE, PAUSED_WITHIN_SECONDS, QUEUE_OF, PausableStage
from worker import nudges
from worker.ops.deeds import audited, demand_why
from worker.ops.door import Administering, Looking
from worker.ops.pages import PageRoute, go, page
from worker.reports.ops.broker import look
from worker.reports.ops.now import read_now
from worker.store import stages
from worker.store.connection import after_commit

router = APIRouter(route_class=PageRoute)


@router.get("/workers")
def show(request: Request, visit: Looking) -> HTMLResponse:
    """Show the stages with their queues, and the workers."""
    seen = read_now(visit.workspace, look())
    shown = {"now": seen, "queue_of": QUEUE_OF, "pausable": PAUSABLE, "within": PAUSED_WITHIN_SECONDS}
    return page(request, visit, "workers.html", "workers", **shown)


@router.post("/stages/{stage}/pause")
def pause(visit: Administering, stage: PausableStage) -> Response:
    """Let a stage take nothing more up."""
    with audited(visit, "stage.pause", stage) as (session, line):
        line.why = why = demand_why(visit)
        changed = stages.pause(session, stage, visit.operator.who, why)
        line.before, line.after = "running" if changed else "paused", "paused"
    return go(visit.given("back"), "stage-paused")


@router.post("/stages/{stage}/resume")
def resume(visit: Administering, stage: PausableStage) -> Response:
    """Let a paused stage go on."""
    with audited(visit, "stage.resume", stage) as (session, line):
        changed = stages.resume(session, stage)
        line.before, line.after = "paused" if changed else "running", "running"
        after_commit(session, nudges.sweep)
    return go(visit.given("back"), "stage-resumed")
