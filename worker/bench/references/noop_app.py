"""The Celery app of the reference N: tasks that do nothing.

Set up for speed, not for safety: acknowledged when taken, no result, no events. To fetch 64 at a time instead of
Celery's 4 gained nothing: 429 to 519 a second with 4, 369 to 591 with 64.
"""

from typing import Any

from celery import Celery

from worker.endpoints import redis_url

app: Any = Celery("bench", broker=redis_url())
app.conf.update(
    task_default_queue="bench",
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
)


@app.task(name="bench.noop")
def noop() -> None:
    """Nothing."""
