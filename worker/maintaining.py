"""The turn of a bulk operation: chunk after chunk, then the worker passes to what else is on the queue."""

from time import monotonic

from worker.store import operating

TURN_SECONDS = 2.0


def operate_turn(operation: int) -> bool:
    """Work on an operation until it is over or the turn is; True when items may be left."""
    deadline = monotonic() + TURN_SECONDS
    while operating.work_on(operation):
        if monotonic() >= deadline:
            return True
    return False
