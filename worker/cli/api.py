"""`enroll api`: the HTTP door."""

from typing import Annotated

import typer

from worker.settings import settings
from worker.store.schema import demand_current

Host = Annotated[str | None, typer.Option(help="Where to listen [ENROLL_API_HOST].")]
Port = Annotated[int | None, typer.Option(min=1, max=65_535, help="Where to listen [ENROLL_API_PORT].")]


def api(host: Host = None, port: Port = None) -> None:
    """Serve the HTTP API until Ctrl-C or SIGTERM; requests in progress are finished."""
    from worker.web.server import serve  # noqa: PLC0415  # no other command needs it

    demand_current()  # says what is wrong with the settings or the store before anything listens
    serve(settings().api_host if host is None else host, settings().api_port if port is None else port)
