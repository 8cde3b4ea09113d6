"""`GET /metrics`: what Prometheus reads. From this machine without a key, from elsewhere with one of scope `ops:read`.

From this machine is a request that comes from a loopback address, is asked of one, and went through no proxy that says
so. Uvicorn takes the client's address from X-Forwarded-For where a proxy of this machine sends it, and anybody can
write that header: a request that has one is from elsewhere, whatever it says.
"""

from ipaddress import ip_address
from typing import Annotated

from fastapi import APIRouter, Request, Security
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials

from domain.api_key import demand
from domain.errors import AuthenticationFailed
from worker.observability import exposition
from worker.web.caller import bearer, key_of
from worker.web.openapi import failures
from worker.web.threads import in_thread

router = APIRouter(tags=["Health"])

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}} | failures(401, 403),
)
async def metrics(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
) -> Response:
    """Tell the metrics in the text format of Prometheus."""
    if not _is_from_this_machine(request):
        if given is None:
            raise AuthenticationFailed
        demand(await key_of(given.credentials), "ops:read")
    return Response(await in_thread(exposition.exposition), media_type=exposition.CONTENT_TYPE)


def _is_from_this_machine(request: Request) -> bool:
    client = request.client.host if request.client else ""
    forwarded = any(name in request.headers for name in _FORWARDED)
    return _is_loopback(client) and _is_loopback(request.url.hostname or "") and not forwarded


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
