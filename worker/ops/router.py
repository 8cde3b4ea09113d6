"""The router of the page: one module a screen."""

from importlib.resources import files

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from worker.ops import audit, campaigns, failures, jobs, now, operations, sends, sessions, sources, workers


def serve_ops(app: FastAPI) -> None:
    """Let the app serve `/ops`."""
    for screen in (now, sessions, jobs, failures, campaigns, workers, sources, sends, operations, audit):
        app.include_router(screen.router, prefix="/ops", include_in_schema=False)
    app.include_router(campaigns.leads_router, prefix="/ops", include_in_schema=False)
    app.mount("/ops/static", StaticFiles(directory=str(files("worker.ops") / "static")), name="ops-static")
