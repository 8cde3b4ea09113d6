"""Who is calling: the API key of a request, and what it may do."""

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Annotated

from fastapi import Depends, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from domain.api_key import ApiKey, Scope, demand, digest_of
from domain.errors import AuthenticationFailed
from worker.store.api_keys import authenticate
from worker.web.rate_limit import count_request
from worker.web.threads import in_thread

# A key is looked up once in so many seconds and process: that long a revoked one may still work.
_REMEMBERED_SECONDS = 5.0
_REMEMBERED_KEYS = 10_000

bearer = HTTPBearer(auto_error=False, bearerFormat="sk_live_…", description="An API key: `enroll key create`.")
_remembered: dict[bytes, tuple[float, ApiKey]] = {}


async def caller(
    request: Request, response: Response, given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
) -> ApiKey:
    """Give the good key that the request presents, or raise `AuthenticationFailed`."""
    key = await caller_of(request, given and given.credentials)
    response.headers.update(request.state.rate_limit_headers)
    return key


async def caller_of(request: Request, token: str | None) -> ApiKey:
    """Give the good key behind the token that came with a request; the request is counted."""
    if token is None:
        raise AuthenticationFailed
    key = await key_of(token)
    request.state.rate_limit_headers = await count_request(key)
    return key


def token_in(request: Request) -> str | None:
    """Give the token of a request as `HTTPBearer` reads it."""
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    return token if scheme.lower() == "bearer" and token else None


async def key_of(token: str) -> ApiKey:
    """Give the good key behind a token."""
    digest = digest_of(token)
    known_until, key = _remembered.get(digest, (0.0, None))
    if key is None or known_until < monotonic():
        key = await in_thread(authenticate, token)
        _remember(digest, key)
    return key


def may(scope: Scope) -> Callable[[ApiKey], Awaitable[ApiKey]]:
    """Give the dependency that lets in a key with this scope only."""

    async def allowed(key: Annotated[ApiKey, Depends(caller)]) -> ApiKey:
        demand(key, scope)
        return key

    return allowed


Reader = Annotated[ApiKey, Depends(may("read"))]
LeadsWriter = Annotated[ApiKey, Depends(may("leads:write"))]
CampaignsWriter = Annotated[ApiKey, Depends(may("campaigns:write"))]
CampaignsStarter = Annotated[ApiKey, Depends(may("campaigns:start"))]


def _remember(digest: bytes, key: ApiKey) -> None:
    if len(_remembered) >= _REMEMBERED_KEYS:
        _remembered.clear()
    _remembered[digest] = (monotonic() + _REMEMBERED_SECONDS, key)
