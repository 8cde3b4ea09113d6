"""Messages of other programs: decoded so that nothing in them can confuse or stop a worker.

kombu's own JSON decoder turns `{"__type__": …}` objects inside a lead into other things, or drops the whole
message; what it cannot read never reaches a task. Here JSON stays JSON, and an unreadable body becomes a call
with the one argument `unreadable`, so that the task can bury it.

Celery trusts the shape of a message: with a task id that is no text, or a value nested 600 levels deep, its consumer
raises, gets the message again and raises for ever; with options that are no object the message is dropped. So a
message is read here before Celery reads it, and only what makes a call is left: the task, its id, its arguments, and
when it may run. Time limits, links and whatever else a producer attaches are ignored: they could only keep leads from
being accepted.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256
from typing import Any, cast

from celery.utils.time import maybe_iso8601
from kombu import serialization
from kombu.transport import redis as redis_transport
from kombu.utils import json as kombu_json
from pydantic_core import from_json

from domain.errors import InvalidRequest
from domain.job import IdempotencyKey

_NO_OPTIONS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


@dataclass(frozen=True, slots=True)
class BulkUpsertMessage:
    """The arguments of `leads.bulk_upsert`: `leads` as UTF-8 JSON text."""

    campaign_id: str
    leads: bytes
    idempotency_key: str | None


class NoCall(Exception):
    """The message cannot be given to a task. The message of the exception is a code, then words."""


def register_plain_json() -> None:
    """Decode `application/json` and what is on the queues without object hooks, in this process."""
    # A hook that fails quotes what it was given, and the worker would log that on its way down.
    cast("Any", redis_transport).loads = json.loads
    cast("Any", serialization).register(
        "json", cast("Any", kombu_json).dumps, decode, content_type="application/json", content_encoding="utf-8"
    )


def decode(body: str | bytes) -> object:
    """Decode the body of a message; one that is not JSON becomes the arguments of an unreadable call.

    This reader stops at 200 levels: what is nested deeper could not be pickled for the pool's processes.
    """
    try:
        return from_json(body)
    except ValueError as error:
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        no_options: dict[str, object] = {}
        return ((), {"unreadable": f"{error}: {text}"}, no_options)


def keep_only_the_call(message: Any) -> None:
    """Leave of a Celery message what makes a call; `NoCall` says why it is none."""
    headers = _call_headers(message.headers)
    if message.content_type != "application/json" or not isinstance(message.body, bytes):
        raise NoCall("unreadable: the body must be text of content type application/json")
    message.content_encoding = "utf-8"
    args, kwargs, options = _call(message.payload)
    message.headers, message.properties, message.delivery_info = headers, {}, {}
    if options not in (None, {}, _NO_OPTIONS):
        message.body = json.dumps((args, kwargs, None)).encode()
        message._decoded_cache = None  # noqa: SLF001  # what kombu has decoded before


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


def _call_headers(headers: Mapping[str, object]) -> dict[str, object]:
    if not isinstance(headers.get("task"), str):
        raise NoCall("not_a_task: the header `task` must name a task, as in version 2 of Celery's protocol")
    if not (isinstance(headers.get("id"), str) and headers["id"]):
        raise NoCall("invalid_message: the header `id` must be a text")
    if not (_is_time(headers.get("eta")) and _is_time(headers.get("expires"))):
        raise NoCall("invalid_message: the headers `eta` and `expires` must be times in ISO 8601")
    return {name: headers.get(name) for name in ("task", "id", "eta", "expires")}


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not value:
        return value is None
    try:
        cast("Any", maybe_iso8601)(value).astimezone(UTC).astimezone()  # as Celery will: to UTC, then to local time
    except (ValueError, OverflowError):
        return False
    return True


def _call(payload: object) -> Sequence[Any]:
    call = cast("Sequence[Any]", payload if isinstance(payload, list | tuple) else ())
    has_shape = len(call) == 3 and isinstance(call[0], list | tuple) and isinstance(call[1], dict)  # noqa: PLR2004  # as below
    # `self` is what Celery itself calls the task, which would then get it twice.
    if not has_shape or "self" in call[1]:
        raise NoCall("invalid_message: the body must be [args, kwargs, options]")
    return call


def _as_json(leads: object) -> bytes:
    try:
        if isinstance(leads, str):
            return leads.encode()
        if isinstance(leads, list):
            return json.dumps(cast("list[object]", leads), ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:  # NaN, lone surrogates, endless numbers and nesting
        raise InvalidRequest(reason=f"leads cannot be JSON: {error}") from None
    raise InvalidRequest(reason="leads must be a list of objects, or a JSON array as text")
