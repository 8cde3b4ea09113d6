"""The app: routers, failures, limits, and what lives as long as the process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline

from worker import nudges
from worker.identity import version
from worker.ops.router import serve_ops
from worker.store.connection import engine
from worker.web import bulk, campaigns, errors, health, hooks, imports, jobs, leads, metrics, sources
from worker.web.body import LimitedBodies
from worker.web.doors import Doors
from worker.web.envelope import Envelope
from worker.web.openapi import document
from worker.web.shortcut import BulkShortcut
from worker.web.threads import in_thread

_DESCRIPTION = """
Push leads into campaigns in bulk. Each accepted request is a job: committed before the answer, applied once and in
order, never lost. Success is `{"data": …}`, failure `{"error": {"code", "message", "details"?}}`.
"""


def create_app() -> FastAPI:
    """Make the app of one process."""
    # With the scripts of /docs from here: FastAPI's own page takes them from somebody else's server.
    app = FastAPIOffline(
        title="enrollment-worker",
        version=version(),
        description=_DESCRIPTION,
        lifespan=_lifespan,
        redoc_url=None,
    )
    app.openapi = lambda: document(app)
    errors.add_handlers(app)
    app.include_router(_v1())
    app.include_router(hooks.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    serve_ops(app)
    # The last one added is the outermost.
    app.add_middleware(BulkShortcut)
    app.add_middleware(LimitedBodies, streamed="/leads/import")
    app.add_middleware(Envelope)
    return app


def _v1() -> APIRouter:
    v1 = APIRouter(prefix="/v1")
    for module in (campaigns, bulk, imports, leads, jobs, sources):
        v1.include_router(module.router)
    return v1


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    app.state.doors = doors = Doors()
    with nudges.sent_in_background():
        async with doors.waiting.open():
            yield
    await in_thread(doors.imports.close)
    await in_thread(lambda: engine().dispose())
