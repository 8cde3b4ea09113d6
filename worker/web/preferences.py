"""What a caller asks for in headers: how long to wait (RFC 7240), and the idempotency key."""

import re

from fastapi import Request

from domain.errors import InvalidRequest
from domain.job import IdempotencyKey, is_key
from worker.settings import settings

MAX_WAIT_SECONDS = 30.0

_wait = re.compile(r"wait\s*=\s*\"?([0-9]{1,9})\"?", re.IGNORECASE).fullmatch


def seconds_to_wait(request: Request) -> float:
    """How long the caller wants to wait for its job: `Prefer: wait=N` or `respond-async`, else the setting."""
    asked = [part.strip() for header in request.headers.getlist("prefer") for part in re.split("[,;]", header)]
    if any(preference.lower() == "respond-async" for preference in asked):
        return 0
    waits = [float(found[1]) for found in map(_wait, asked) if found]
    return min(waits[0], MAX_WAIT_SECONDS) if waits else settings().sync_wait_seconds


def idempotency_key(request: Request) -> IdempotencyKey | None:
    """The key of the request, in the space of users; `InvalidRequest` where it cannot be one."""
    given = request.headers.get("idempotency-key")
    if given is None:
        return None
    if not is_key(given):
        raise InvalidRequest(reason="Idempotency-Key must be 1 to 255 visible characters")
    return IdempotencyKey("user", given)
