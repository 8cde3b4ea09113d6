"""The server around the app: finishes what is in progress when it is asked to stop."""

import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI

from worker import garbage
from worker.embedded import signals
from worker.observability import exposition, logs
from worker.web.app import create_app
from worker.web.doors import Doors

_STOPS_WITHIN_SECONDS = 6

# Threads that commit wait for the interpreter after each answer of PostgreSQL, by default until the event loop has had
# it for 5 ms: single leads came in at 260 a second, and at 630 like this.
_SWITCH_SECONDS = 0.0005


class _Server(uvicorn.Server):
    """Uvicorn waits for requests, and some requests wait for jobs: those are answered with 202 when it is to stop."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._served = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; the second time at once."""
        doors: Doors | None = getattr(self._served.state, "doors", None)
        if doors is not None:
            doors.waiting.let_go()
        super().handle_exit(sig, frame)


def serve(host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    logs.configure()
    app = create_app()
    garbage.search_rarely()
    exposition.serve_in_background()
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        timeout_graceful_shutdown=_STOPS_WITHIN_SECONDS,
        access_log=False,
        server_header=False,
        log_config=None,
    )
    # Once it has stopped, uvicorn raises the signal again: collected here, it does not make a failure of a clean end.
    with signals.received():
        _Server(config, app).run()
