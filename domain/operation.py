"""A bulk operation: one action on a set that was frozen when it was previewed."""

from typing import Literal, get_args

OperationKind = Literal["retryJobs", "resolveSent", "resolveNotSent"]
KINDS: tuple[OperationKind, ...] = get_args(OperationKind)
OperationStatus = Literal["previewed", "running", "cancelling", "cancelled", "done", "failed"]

MAX_ITEMS = 100_000
TYPE_THE_COUNT_OVER = 100
"""Whoever acts on more items than this types how many, so that nobody does it by a slip."""

DEEDS: dict[OperationKind, str] = {
    "retryJobs": "accept dead jobs anew",
    "resolveSent": "resolve unknown sends as sent",
    "resolveNotSent": "queue unknown sends again",
}
CONSEQUENCES: dict[OperationKind, str] = {
    "retryJobs": "Each becomes a new job at the end of its campaign's lane. No lead is enrolled twice.",
    "resolveSent": "Nothing is sent. The enrollments go on with their next step.",
    "resolveNotSent": "Each message is sent again. Whoever did get the first one gets it twice.",
}


def is_over(status: OperationStatus) -> bool:
    """Tell whether nothing more will come of it."""
    return status in {"cancelled", "done", "failed"}
