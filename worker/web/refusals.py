"""Refused deliveries, counted before they are written down.

Anybody who knows the address of a source can send it bad signatures, at any rate. So they become one row for a source
and reason, written at most once a second by each process. What comes in between is added the next time; when nothing
comes any more, the last few stay uncounted, and the row says enough all the same.
"""

from time import monotonic

_WRITE_EVERY_SECONDS = 1.0
_REMEMBERED = 10_000


class Refusals:
    """How many refusals are not written down yet, and when the last ones were."""

    def __init__(self) -> None:
        self._pending: dict[tuple[int, str], tuple[float, int]] = {}

    def count(self, source: int, reason: str) -> int:
        """Count one; give how many are to be written down now, often 0."""
        written_at, before = self._pending.get((source, reason), (float("-inf"), 0))
        due = monotonic() - written_at >= _WRITE_EVERY_SECONDS
        if len(self._pending) >= _REMEMBERED:
            self._pending.clear()
        self._pending[source, reason] = (monotonic(), 0) if due else (written_at, before + 1)
        return before + 1 if due else 0
