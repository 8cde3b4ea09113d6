"""The Celery app of the reference N: tasks that do nothing.

AbstractSet up for speed, not for safety: acknowledged when taken, fetched many at a time, no result, no events.
"""

from typing import Any

from celery import Celery

from worker.endpoints import redis_url

app: Any = Celery("bench", broker=redis_url())
app.conf.update(
    task_default_queue="bench",
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    broker_connection_retry_on_startup=True,
)


@app.task(name="bench.noop")
def noop() -> None:
    """Nothing."""
