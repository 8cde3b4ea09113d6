"""What waits in Redis: messages on the queues, entries of the stream. None of it where Redis cannot be asked."""

from collections.abc import Iterator

from worker.observability.snapshot import Reading
from worker.reports.ops.broker import look
from worker.stream_queue import STREAM


def readings() -> Iterator[Reading]:
    """Give the lengths; the entries of the stream are what is due at the stage `accept`."""
    broker = look()
    if broker.up:
        for queue, length in broker.messages.items():
            yield Reading("broker_messages", {"queue": queue}, length)
        intake = {"stage": "accept", "queue": STREAM}
        yield Reading("queue_due_items", intake, broker.stream)
        yield Reading("queue_oldest_due_age_seconds", intake, broker.stream_oldest_seconds or 0)
