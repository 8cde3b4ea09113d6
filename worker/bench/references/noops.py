"""N: Celery tasks that do nothing, drained by as many worker processes on the same broker."""

from time import sleep
from typing import Any, cast

from celery import Celery

from worker.endpoints import redis_url
from worker.nudges import redis

_HELD, _QUEUE = "bench.held", "bench"
_LOOK_EVERY_SECONDS = 0.002


def publish(count: int) -> None:
    """Put messages where no worker looks yet."""
    producer: Any = Celery(broker=redis_url())
    with producer.producer_or_acquire() as connected:
        for _ in range(count):
            producer.send_task("bench.noop", queue=_HELD, producer=connected, ignore_result=True)


def drain() -> None:
    """Let the workers have what was published, and wait until they have taken it all."""
    client = cast("Any", redis())
    client.rename(_HELD, _QUEUE)
    while client.llen(_QUEUE) or client.hlen("unacked"):
        sleep(_LOOK_EVERY_SECONDS)
