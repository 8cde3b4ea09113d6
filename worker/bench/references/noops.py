"""N: Celery tasks that do nothing, drained by as many worker processes on the same broker."""

from time import sleep
from typing import Any, cast

from celery import Celery

from worker.bench.figures import speed_of
from worker.endpoints import redis_url
from worker.nudges import redis

_HELD, _QUEUE = "bench.held", "bench"
_LOOK_EVERY_SECONDS = 0.002


def speed_of_noops(count: int) -> float:
    """Publish messages, then measure from letting the workers have them until they have taken all."""
    _publish(count)
    return speed_of(count, _drain)


def _publish(count: int) -> None:
    # Where no worker looks yet.
    producer: Any = Celery(broker=redis_url())
    with producer.producer_or_acquire() as connected:
        for _ in range(count):
            producer.send_task("bench.noop", queue=_HELD, producer=connected, ignore_result=True)


def _drain() -> None:
    client = cast("Any", redis())
    client.rename(_HELD, _QUEUE)
    while client.llen(_QUEUE) or client.hlen("unacked"):
        sleep(_LOOK_EVERY_SECONDS)
