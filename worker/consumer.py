"""Celery's consumer, with one change: what it would log in full and drop goes to the dead letters instead."""

import logging
from typing import Any, cast

from celery.worker.consumer import Consumer as CeleryConsumer

from worker import dead_letters
from worker.patience import until_done

log = logging.getLogger(__name__)


class Consumer(cast("Any", CeleryConsumer)):
    """Buries what cannot be given to a task; lead data in it must not reach the logs."""

    def on_unknown_message(self, body: Any, message: Any) -> None:  # noqa: ARG002  # Celery's signature
        """No task message at all."""
        self._bury("not_a_task", message)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002  # as above
        """A task that we do not have."""
        self._bury("unknown_task", message)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002  # as above
        """A task message that breaks the protocol."""
        self._bury("invalid_message", message)

    def on_decode_error(self, message: Any, exc: Exception) -> None:  # noqa: ARG002  # as above
        """A body in an encoding or content type that we do not take."""
        self._bury("unreadable", message)

    def _bury(self, reason: str, message: Any) -> None:
        body = message.body
        text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
        until_done(lambda: dead_letters.bury(reason, {"headers": message.headers, "body": text}))
        message.reject_log_error(log, self.connection_errors)
