"""Calls as Flower, `celery inspect` and `celery events` show them: which campaign, and nothing of a lead.

Celery would show the arguments as they are, leads and all, to whoever can reach the broker.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from celery import Task
from celery.worker.request import Request

_NAMES = ("campaign_id", "leads", "idempotency_key", "operation")
_is_campaign = re.compile("camp_[0-9a-z]{26}").fullmatch
_HIDDEN = "…"


class CallRequest(cast("Any", Request)):
    """A call under way in a worker."""

    @property
    def argsrepr(self) -> str:
        """The arguments without names: they are shown with them."""
        return "()"

    @property
    def kwargsrepr(self) -> str:
        """The arguments by name."""
        return repr(shown(self._args, self._kwargs))

    def info(self, safe: bool = False) -> dict[str, object]:  # noqa: FBT001, FBT002  # Celery's signature
        """Tell what is known of the call."""
        inherited: Any = super()
        told: dict[str, object] = inherited.info(safe=safe)
        return {**told, "args": [], "kwargs": shown(self._args, self._kwargs)}


class CallTask(cast("Any", Task)):
    """The class of all our tasks."""

    abstract = True
    Request = "worker.calls:CallRequest"


def shown(args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
    """Give the arguments of a call as anybody may see them."""
    named = {**dict(zip(_NAMES, args, strict=False)), **kwargs}
    return {name: _shown(named[name]) for name in _NAMES if name in named}


def _shown(value: object) -> object:
    is_plain = value is None or isinstance(value, int) or (isinstance(value, str) and _is_campaign(value))
    return value if is_plain else _HIDDEN
