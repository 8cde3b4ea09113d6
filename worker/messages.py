"""Messages of other programs: decoded so that nothing in them can confuse or stop a worker.

kombu's own JSON decoder turns `{"__type__": …}` objects inside a lead into other things, or drops the whole
message; what it cannot read never reaches a task. Here JSON stays JSON, and an unreadable body becomes a call
with the one argument `unreadable`, so that the task can bury it.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast

from kombu import serialization
from kombu.utils import json as kombu_json

from domain.errors import InvalidRequest
from domain.job import IdempotencyKey


@dataclass(frozen=True, slots=True)
class BulkUpsertMessage:
    """The arguments of `leads.bulk_upsert`: `leads` as UTF-8 JSON text."""

    campaign_id: str
    leads: bytes
    idempotency_key: str | None


def register_plain_json() -> None:
    """Decode `application/json` without object hooks, in this process."""
    cast("Any", serialization).register(
        "json", cast("Any", kombu_json).dumps, decode, content_type="application/json", content_encoding="utf-8"
    )


def decode(body: str | bytes) -> object:
    """Decode the body of a message; one that is not JSON becomes the arguments of an unreadable call."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        no_options: dict[str, object] = {}
        return ((), {"unreadable": f"{error}: {text}"}, no_options)


def read_bulk_upsert(args: tuple[Any, ...], kwargs: dict[str, Any]) -> BulkUpsertMessage:
    """Read what a producer sent; `InvalidRequest` says what is wrong with it."""
    _refuse_unreadable(kwargs)
    named = {**dict(zip(("campaign_id", "leads", "idempotency_key"), args, strict=False)), **kwargs}
    campaign_id, key = named.get("campaign_id"), named.get("idempotency_key")
    if not isinstance(campaign_id, str):
        raise InvalidRequest(reason="campaign_id must be a string")
    if not (key is None or (isinstance(key, str) and is_key(key))):
        raise InvalidRequest(reason="idempotency_key must be 1 to 255 visible characters")
    return BulkUpsertMessage(campaign_id, _as_json(named.get("leads")), key)


def read_campaign_id(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Read the argument of a nudge."""
    _refuse_unreadable(kwargs)
    campaign_id = kwargs.get("campaign_id", args[0] if args else None)
    if not isinstance(campaign_id, str):
        raise InvalidRequest(reason="campaign_id must be a string")
    return campaign_id


def key_of(message: BulkUpsertMessage, task_id: str) -> IdempotencyKey:
    """Give the key of the job that a message becomes: its own, or its task id, so that a message twice is one job."""
    if message.idempotency_key is not None:
        return IdempotencyKey("user", message.idempotency_key)
    # A task id is whatever the producer made up: hashed where it is not an ordinary one.
    return IdempotencyKey(
        "celery", task_id if is_key(task_id) else sha256(task_id.encode(errors="replace")).hexdigest()
    )


def is_key(key: str) -> bool:
    """Tell whether an idempotency key has 1 to 255 visible ASCII characters."""
    return 1 <= len(key) <= 255 and all("!" <= character <= "~" for character in key)  # noqa: PLR2004  # as said


def _refuse_unreadable(kwargs: dict[str, Any]) -> None:
    if "unreadable" in kwargs:
        raise InvalidRequest(reason="the message is not JSON")


def _as_json(leads: object) -> bytes:
    try:
        if isinstance(leads, str):
            return leads.encode()
        if isinstance(leads, list):
            return json.dumps(cast("list[object]", leads), ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:  # NaN, lone surrogates, endless numbers and nesting
        raise InvalidRequest(reason=f"leads cannot be JSON: {error}") from None
    raise InvalidRequest(reason="leads must be a list of objects, or a JSON array as text")
