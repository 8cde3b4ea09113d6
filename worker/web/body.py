"""Bodies, limited before anything is made of them: in bytes, and in the time they may take to arrive."""

import asyncio
from collections.abc import Collection

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType
from worker.settings import settings

_ARRIVES_WITHIN_SECONDS = 30.0
# Longer than any limit: more digits are not worth reading.
_LENGTH_DIGITS = 20


class LimitedBodies:
    """ASGI middleware: a request goes on once its body is there; those under `streamed` see to it themselves."""

    def __init__(self, app: ASGIApp, streamed: str) -> None:
        self._app = app
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and not str(scope["path"]).endswith(self._streamed):
            body = await _read_body(Request(scope, receive), settings().max_body_bytes)
            receive = _replaying(body, receive)
        await self._app(scope, receive, send)


def demand_content_type(request: Request, accepted: Collection[str]) -> str:
    """Give the content type without its parameters; `UnsupportedMediaType` unless it is an accepted one."""
    given = request.headers.get("content-type", "")
    content_type = given.partition(";")[0].strip().lower()
    if content_type not in accepted:
        raise UnsupportedMediaType(given=given[:100], expected=" or ".join(accepted))
    return content_type


def demand_plain_json(request: Request) -> None:
    """Refuse what is not JSON as it stands: another type, or a compressed body."""
    demand_content_type(request, ["application/json"])
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMediaType(given=encoding[:100], expected="it uncompressed")


async def _read_body(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "")[:_LENGTH_DIGITS]
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(f"{int(announced):,}", limit)
    try:
        async with asyncio.timeout(_ARRIVES_WITHIN_SECONDS):
            return await _read(request, limit)
    except TimeoutError:
        raise InvalidRequest(reason=f"the body did not arrive within {_ARRIVES_WITHIN_SECONDS:.0f} s") from None


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(f"more than {limit:,}", limit)
    return bytes(body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _too_large(size: str, limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(size=size, unit="bytes", limit=f"{limit:,}")
