"""Celery's consumer, with one change: what it would stumble over, or log in full and drop, goes to the dead letters."""

import logging
from collections.abc import Callable
from typing import Any, cast

from celery.worker.consumer import Consumer as CeleryConsumer

from worker import dead_letters
from worker.messages import NoCall, keep_only_the_call
from worker.patience import until_done

log = logging.getLogger(__name__)


class Consumer(cast("Any", CeleryConsumer)):
    """Buries what cannot be given to a task; lead data in it must not reach the logs."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Give the handler of messages, which gets to see calls only."""
        inherited: Any = super()
        handle = inherited.create_task_handler(*args, **kwargs)

        def handle_call(message: Any) -> None:
            try:
                keep_only_the_call(message)
            except NoCall as fault:
                self._bury(str(fault), message)
            else:
                handle(message)

        return handle_call

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002  # Celery's signature
        """A task that we do not have."""
        self._bury("unknown_task", message)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002  # as above
        """A call that Celery does not take all the same."""
        self._bury("invalid_message", message)

    def on_decode_error(self, message: Any, exc: Exception) -> None:  # noqa: ARG002  # as above
        """A body that cannot be unpacked."""
        self._bury("unreadable", message)

    def _bury(self, reason: str, message: Any) -> None:
        body = message.body
        text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
        until_done(lambda: dead_letters.bury(reason, {"headers": message.headers, "body": text}))
        message.reject_log_error(log, self.connection_errors)
