"""The first screen, and its live updates by server-sent events."""

import asyncio
from collections.abc import AsyncGenerator
from threading import Lock
from time import monotonic
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from domain.errors import Refusal
from domain.verdict import RULE
from worker.ops.door import Looking, Visit, looking
from worker.ops.pages import PageRoute, page, render
from worker.reports.ops.broker import look
from worker.reports.ops.now import Now, read_now
from worker.reports.ops.rates import WINDOW_MINUTES
from worker.reports.ops.snapshot import TookTooLong
from worker.store.trouble import is_store_trouble
from worker.web.threads import in_thread

router = APIRouter(route_class=PageRoute)

EVERY_SECONDS = 3.0
# Whoever needs long to look, looks seldom: at most a fifth of the time is spent on it.
_REST = 4
_SHARED_SECONDS = 1.0


class _Seen(NamedTuple):
    at: float
    now: Now


class _Looks:
    """What this process saw last: many who look at once cost one look, and no two looks overlap."""

    def __init__(self) -> None:
        self._locks: dict[int | None, Lock] = {}
        self._seen: dict[int | None, _Seen] = {}

    def now(self, workspace: int | None) -> Now:
        with self._locks.setdefault(workspace, Lock()):
            seen = self._seen.get(workspace)
            if seen is None or monotonic() - seen.at > _SHARED_SECONDS:
                found = read_now(workspace, look())
                self._seen[workspace] = seen = _Seen(monotonic(), found)
        return seen.now


_looks = _Looks()


@router.get("")
def now(request: Request, visit: Looking) -> HTMLResponse:
    """Show the system now. A reload looks anew."""
    return page(request, visit, "now.html", "now", **_shown(read_now(visit.workspace, look())))


@router.get("/live")
async def live(request: Request, visit: Looking) -> EventSourceResponse:
    """Show it again and again: the next look begins when the last has been sent, and later when it took long."""
    return EventSourceResponse(_updates(request, visit), ping=15)


async def _updates(request: Request, visit: Visit) -> AsyncGenerator[ServerSentEvent]:
    while True:
        began = monotonic()
        try:
            visit = await looking(request)  # the session, or its key, may be over by now
            yield ServerSentEvent(await in_thread(_body, request, visit), event="page")
        except Refusal as refusal:
            yield ServerSentEvent(str(refusal), event="over")
            return
        except Exception as error:
            if not is_store_trouble(error) and not isinstance(error, TookTooLong):
                raise
            yield ServerSentEvent("PostgreSQL cannot be reached, or takes too long.", event="trouble")
        await asyncio.sleep(max(EVERY_SECONDS, _REST * (monotonic() - began)))


def _body(request: Request, visit: Visit) -> str:
    return render(request, visit, "now_body.html", "now", **_shown(_looks.now(visit.workspace)))


def _shown(seen: Now) -> dict[str, object]:
    return {"now": seen, "rule": RULE.format(window=WINDOW_MINUTES), "window": WINDOW_MINUTES}
