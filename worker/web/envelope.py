"""Around every request: an id, and an answer whatever happens inside."""

import logging
import re
from time import monotonic
from typing import Any
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.observability import context, record, tracing
from worker.web.errors import answer_to

_HEADER = "X-Request-Id"
_PREFIX = "/v1/"
_is_id = re.compile(r"[!-~]{1,128}").fullmatch

# Asked every few seconds, by programs.
_UNTOLD = {"/healthz", "/readyz", "/metrics", "/ops/live"}

log = logging.getLogger(__name__)


class Envelope:
    """ASGI middleware. The app's own catch-all would tell an error and raise it again, with what it quotes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(_HEADER, "")
        identity = given if _is_id(given) else uuid4().hex
        context.begin(identity)
        context.about_address(scope["path"])
        answer, began = _Answer(send, identity), monotonic()
        with tracing.span(scope["method"], headers.get("traceparent")) as rename:
            try:
                await self._app(scope, receive, answer.send)
            except ClientDisconnect:
                return  # nobody is there to be told
            except Exception as error:
                if answer.begun:
                    raise
                await answer_to(error)(scope, receive, answer.send)
            finally:
                rename(f"{scope['method']} {_route(scope)}")
                _tell(scope, answer.status, monotonic() - began)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    route = _route(scope)
    record.answered(scope["method"], route, status, seconds)
    if route not in _UNTOLD:
        log.info("%s %s %d %.0f ms", scope["method"], route, status, 1_000 * seconds)


def _route(scope: Scope) -> str:
    """Give the pattern of the address: addresses themselves are without number, and may hold what is personal."""
    pattern: str = getattr(scope.get("route"), "path", "none")
    # FastAPI may leave out the prefix under which the route's router was included.
    is_short = scope["path"].startswith(_PREFIX) and pattern.startswith("/") and not pattern.startswith(_PREFIX)
    return _PREFIX[:-1] + pattern if is_short else pattern


class _Answer:
    def __init__(self, send: Send, identity: str) -> None:
        self.begun = False
        self.status = 0
        self._send = send
        self._identity = identity

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self.status = message["status"]
            headers: Any = MutableHeaders(scope=message)
            headers[_HEADER] = self._identity
            headers.setdefault("X-Content-Type-Options", "nosniff")
        await self._send(message)
