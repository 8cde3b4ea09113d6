"""`enroll api`: the HTTP door."""

from typing import Annotated

import typer

from worker.settings import settings
from worker.store.schema import is_current

_STOPS_WITHIN_SECONDS = 6

Host = Annotated[str | None, typer.Option(help="Where to listen [ENROLL_API_HOST].")]
Port = Annotated[int | None, typer.Option(min=1, max=65_535, help="Where to listen [ENROLL_API_PORT].")]


def api(host: Host = None, port: Port = None) -> None:
    """Serve the HTTP API until Ctrl-C or SIGTERM; requests in progress are finished."""
    import uvicorn  # noqa: PLC0415  # no other command needs it

    from worker.web.app import create_app  # noqa: PLC0415  # as above

    is_current()  # says what is wrong with the settings or the store before anything listens
    uvicorn.run(
        create_app(),
        host=settings().api_host if host is None else host,
        port=settings().api_port if port is None else port,
        timeout_graceful_shutdown=_STOPS_WITHIN_SECONDS,
        access_log=False,
        server_header=False,
        log_level="info",
    )
