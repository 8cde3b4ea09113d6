"""Waiting out trouble with PostgreSQL or Redis where it meets the work, instead of failing it.

Celery acknowledges a task that raises, and its message is gone. So a task never raises because a server is out of
reach: it tries again until the server is back, or until the worker is to stop.
"""

import logging
from collections.abc import Callable, Iterator
from math import inf
from multiprocessing.sharedctypes import RawValue
from time import monotonic, sleep
from typing import TypeVar

from redis import RedisError

from worker.redis_client import why_unreachable
from worker.store.trouble import is_store_trouble, reason_of

T = TypeVar("T")

_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 5.0
_LOOK_EVERY_SECONDS = 0.1

# In memory that the pool's children share with their parent, which alone hears that the worker is to stop. Without
# a lock: a child may be killed at any moment, and would take the lock with it.
_stopping = RawValue("b", 0)

log = logging.getLogger(__name__)


class WorkerStopping(Exception):
    """The worker is to stop, and what it was waiting for has not come back."""


def stop_waiting() -> None:
    """Let everyone in this worker who waits give up."""
    _stopping.value = 1


def until_done(action: Callable[[], T], *, even_when_stopping: bool = False, within: float = inf) -> T:
    """Do it, however long PostgreSQL or Redis are out of reach, or for so many seconds; other errors are the caller's.

    Raises `WorkerStopping` when the worker is to stop first, unless what has to be done is worth its being killed.
    """
    deadline = monotonic() + within
    for delay in _delays():
        try:
            return action()
        except Exception as error:
            if not _is_trouble(error) or monotonic() >= deadline:
                raise
            log.warning("trouble, trying again in %.1f s: %s", delay, _reason(error))
        _wait(delay, even_when_stopping=even_when_stopping)
    raise AssertionError


def _is_trouble(error: Exception) -> bool:
    return is_store_trouble(error) or isinstance(error, RedisError)


def _reason(error: Exception) -> str:
    return why_unreachable(error) if isinstance(error, RedisError) else reason_of(error)


def _delays() -> Iterator[float]:
    delay = _FIRST_DELAY_SECONDS
    while True:
        yield delay
        delay = min(delay * 2, _LONGEST_DELAY_SECONDS)


def _wait(seconds: float, *, even_when_stopping: bool) -> None:
    end = monotonic() + seconds
    while (left := end - monotonic()) > 0:
        if _stopping.value and not even_when_stopping:
            raise WorkerStopping
        sleep(min(left, _LOOK_EVERY_SECONDS))
