"""Celery's consumer, with one change: what it would log and drop goes to the dead letters instead."""

from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer

from worker import dead_letters


class Consumer(CeleryConsumer):
    """Buries what cannot be given to a task."""

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """No task message at all."""
        _bury("not_a_task", message)
        super().on_unknown_message(body, message)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """A task that we do not have."""
        _bury("unknown_task", message)
        super().on_unknown_task(body, message, exc)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """A task message that breaks the protocol."""
        _bury("invalid_message", message)
        super().on_invalid_task(body, message, exc)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """A body in an encoding or content type that we do not take."""
        _bury("unreadable", message)
        super().on_decode_error(message, exc)


def _bury(reason: str, message: Any) -> None:
    body = message.body
    dead_letters.bury(reason, body.decode(errors="replace") if isinstance(body, bytes) else str(body))
