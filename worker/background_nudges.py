"""Nudges sent beside the answers: whoever was told "accepted" need not wait for a message that may be lost anyway.

A nudge costs as much as the rest of accepting a small request. Here one thread sends them for the whole process, and
what is nudged for again while it is busy, it sends once.
"""

import logging
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

_LAST_ONES_WITHIN_SECONDS = 2.0

Nudge = tuple[str, str | None]

log = logging.getLogger(__name__)


class BackgroundNudges:
    """A thread that sends nudges in the order in which they were first asked for."""

    def __init__(self, send: Callable[[str, str | None], None]) -> None:
        self._send = send
        self._waiting: dict[Nudge, None] = {}
        self._changed = threading.Condition()
        self._ending = False

    def __call__(self, task: str, campaign_id: str | None) -> None:
        """Have a nudge sent soon."""
        with self._changed:
            self._waiting[task, campaign_id] = None
            self._changed.notify()

    @contextmanager
    def running(self) -> Generator[None]:
        """Send while the context lasts, and at its end what is left."""
        thread = threading.Thread(target=self._run, name="nudges", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._ending = True
                self._changed.notify()
            thread.join(_LAST_ONES_WITHIN_SECONDS)

    def _run(self) -> None:
        while nudge := self._next():
            try:
                self._send(*nudge)
            except Exception:  # the thread must outlive it: without it nothing would be nudged any more
                log.exception("cannot nudge %s of %s, the sweep will", *nudge)

    def _next(self) -> Nudge | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            if not self._waiting:
                return None
            first = next(iter(self._waiting))
            del self._waiting[first]
            return first
