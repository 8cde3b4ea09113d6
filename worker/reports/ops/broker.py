"""The broker, looked at for a second at most: whether it is there, and what waits in it that the store cannot know."""

from dataclasses import dataclass, field
from time import time
from typing import Any, cast

from redis import RedisError

from worker.nudges import redis
from worker.stream_queue import STREAM

# kombu keeps a list a queue and priority; the worker takes from all of them.
_PRIORITY_SUFFIXES = ("", "\x06\x163", "\x06\x166", "\x06\x169")


@dataclass(frozen=True, slots=True)
class Broker:
    """What waits in Redis. `up` False: it cannot be reached, and nobody knows."""

    up: bool
    messages: dict[str, int] = field(default_factory=dict[str, int])
    stream: int = 0
    stream_oldest_seconds: float | None = None


def look() -> Broker:
    """Ask Redis in one round trip."""
    from worker.celery_settings import QUEUES  # noqa: PLC0415  # importing it reads the settings

    try:
        with cast("Any", redis()).pipeline(transaction=False) as pipeline:
            for queue in QUEUES:
                for suffix in _PRIORITY_SUFFIXES:
                    pipeline.llen(queue + suffix)
            answers = pipeline.xlen(STREAM).xrange(STREAM, count=1).execute()
    except (RedisError, OSError):
        return Broker(up=False)
    *lengths, stream, oldest = answers
    each = len(_PRIORITY_SUFFIXES)
    messages = {queue: sum(lengths[n * each : (n + 1) * each]) for n, queue in enumerate(QUEUES)}
    return Broker(up=True, messages=messages, stream=int(stream), stream_oldest_seconds=_age(oldest))


def _age(oldest: list[tuple[bytes, object]]) -> float | None:
    if not oldest:
        return None
    milliseconds = int(oldest[0][0].partition(b"-")[0])
    return max(time() - milliseconds / 1_000, 0.0)
