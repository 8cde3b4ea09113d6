"""Back-pressure: too many jobs waiting, and new ones are refused instead of waiting for ever."""

from time import monotonic

from domain.errors import BacklogFull
from worker.reports.jobs import count_waiting
from worker.settings import settings
from worker.web.threads import in_thread

# One look a second and process, however many requests: what comes in between may go over the limit by that much.
_LOOK_EVERY_SECONDS = 1.0


class Backlog:
    """How many jobs wait, as of the last second."""

    def __init__(self) -> None:
        self._waiting: dict[int, int] = {}
        self._looked_at = float("-inf")

    async def check(self, workspace: int) -> None:
        """Raise `BacklogFull` when the workspace, or all together, have too many jobs waiting."""
        if monotonic() - self._looked_at >= _LOOK_EVERY_SECONDS:
            self._looked_at = monotonic()
            self._waiting = await in_thread(count_waiting)
        _refuse_from(self._waiting.get(workspace, 0), settings().max_backlog_jobs)
        _refuse_from(sum(self._waiting.values()), settings().max_backlog_jobs_in_all)


def _refuse_from(waiting: int, limit: int) -> None:
    if waiting >= limit:
        raise BacklogFull(waiting=waiting, limit=limit)
