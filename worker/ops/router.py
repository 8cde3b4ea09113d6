"""The router of the page: one module a screen."""

from importlib.resources import files

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from worker.ops import audit, campaigns, failures, jobs, now, operations, sends, sessions, sources, workers

_SCREENS = (now, sessions, jobs, failures, campaigns, workers, sources, sends, operations, audit)
ROUTERS = (*(screen.router for screen in _SCREENS), campaigns.leads_router)


def serve_ops(app: FastAPI) -> None:
    """Let the app serve `/ops`."""
    app.mount("/ops/static", StaticFiles(directory=str(files("worker.ops") / "static")), name="ops-static")
    for router in ROUTERS:
        app.include_router(router, prefix="/ops", include_in_schema=False)
