"""Small requests that arrive together share a commit: one wait for the disk for all of them.

Nobody waits for company: the first one goes at once, and whoever comes while it is being committed goes with the
next. So a lone request is as fast as without, and 300 a second make 100 commits. Large ones do not wait for each other:
while one is written to disk, another one is being sent.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple

from worker.store.ledger import Acceptance, Request, accept_together
from worker.web.threads import in_thread

# More bytes than this in one transaction make its members wait longer than they gain.
_GROUP_BYTES = 256 * 1024
# Fewer are better off in the next group than in a transaction of their own beside the one under way; unless that one
# takes long, because somebody else holds a key that it needs.
_BYTES_WORTH_A_CONNECTION = 32 * 1024
_LONG_SECONDS = 0.1


class _Member(NamedTuple):
    request: Request
    outcome: "asyncio.Future[Acceptance]"

    @property
    def size(self) -> int:
        """About how many bytes it is to the store."""
        return len(self.request.rows) + len(self.request.row_errors)


class GroupCommit:
    """Commits requests as jobs, side by side when there are many bytes, together when there are few."""

    def __init__(self, side_by_side: int = 4) -> None:
        self._waiting: deque[_Member] = deque()
        self._waiting_bytes = 0
        self._committing = 0
        self._began = 0.0
        self._side_by_side = side_by_side

    async def accept(self, request: Request) -> Acceptance:
        """Commit one request, maybe with others; raises why it is refused."""
        member = _Member(request, asyncio.get_running_loop().create_future())
        self._waiting.append(member)
        self._waiting_bytes += member.size
        self._start()
        try:
            return await asyncio.shield(member.outcome)
        finally:
            del member  # or a refusal would hold the frame that holds it, and the rows with it

    def _start(self) -> None:
        if self._waiting and self._may_commit():
            self._committing += 1
            self._began = monotonic()
            asyncio.get_running_loop().call_later(_LONG_SECONDS, self._start)
            task = asyncio.create_task(self._commit(self._next_group()))
            task.add_done_callback(lambda _: self._go_on())

    def _may_commit(self) -> bool:
        worth_it = self._waiting_bytes >= _BYTES_WORTH_A_CONNECTION or monotonic() >= self._began + _LONG_SECONDS
        return self._committing < (self._side_by_side if worth_it else 1)

    def _go_on(self) -> None:
        self._committing -= 1
        self._start()

    def _next_group(self) -> list[_Member]:
        group: list[_Member] = []
        total = 0
        while self._waiting and total < _GROUP_BYTES:
            group.append(self._waiting.popleft())
            total += group[-1].size
        self._waiting_bytes -= total
        return group

    async def _commit(self, group: Sequence[_Member]) -> None:
        outcomes = await in_thread(_outcomes, [member.request for member in group])
        for member, outcome in zip(group, outcomes, strict=True):
            _settle(member.outcome, outcome)


def _outcomes(requests: Sequence[Request]) -> Sequence[Acceptance | Exception]:
    try:
        return accept_together(requests)
    except Exception as error:  # noqa: BLE001  # each member is told; nobody else would be
        return [error] * len(requests)


def _settle(future: "asyncio.Future[Acceptance]", outcome: Acceptance | Exception) -> None:
    if future.done():
        return  # its caller went away
    if isinstance(outcome, Acceptance):
        future.set_result(outcome)
    else:
        future.set_exception(outcome)
