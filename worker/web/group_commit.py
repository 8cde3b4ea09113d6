"""Small requests that arrive together share a commit: one wait for the disk for all of them.

Nobody waits for company: the first one goes at once, and whoever comes while it is being committed goes with the
next. So a lone request is as fast as without, and 300 a second make 100 commits. Large ones do not wait for each other:
while one is written to disk, another one is being sent.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool

from domain.errors import Refusal
from worker.store.ledger import Acceptance, Request, accept_together

# More bytes than this in one transaction make its members wait longer than they gain.
_GROUP_BYTES = 256 * 1024
# Fewer are better off in the next group than in a transaction of their own beside the one under way.
_BYTES_WORTH_A_CONNECTION = 32 * 1024


class _Member(NamedTuple):
    request: Request
    outcome: "asyncio.Future[Acceptance]"


class GroupCommit:
    """Commits requests as jobs, side by side when there are many bytes, together when there are few."""

    def __init__(self, side_by_side: int = 2) -> None:
        self._waiting: deque[_Member] = deque()
        self._waiting_bytes = 0
        self._committing = 0
        self._side_by_side = side_by_side

    async def accept(self, request: Request) -> Acceptance:
        """Commit one request, maybe with others; raises why it is refused."""
        member = _Member(request, asyncio.get_running_loop().create_future())
        self._waiting.append(member)
        self._waiting_bytes += len(request.rows)
        self._start()
        return await asyncio.shield(member.outcome)

    def _start(self) -> None:
        if self._waiting and self._may_commit():
            self._committing += 1
            task = asyncio.create_task(self._commit(self._next_group()))
            task.add_done_callback(lambda _: self._go_on())

    def _may_commit(self) -> bool:
        large = self._waiting_bytes >= _BYTES_WORTH_A_CONNECTION
        return self._committing < (self._side_by_side if large else 1)

    def _go_on(self) -> None:
        self._committing -= 1
        self._start()

    def _next_group(self) -> list[_Member]:
        group: list[_Member] = []
        total = 0
        while self._waiting and total < _GROUP_BYTES:
            group.append(self._waiting.popleft())
            total += len(group[-1].request.rows)
        self._waiting_bytes -= total
        return group

    async def _commit(self, group: Sequence[_Member]) -> None:
        try:
            outcomes = await run_in_threadpool(accept_together, [member.request for member in group])
        except Exception as error:  # noqa: BLE001  # each member is told; nobody else would be
            outcomes = [error] * len(group)
        for member, outcome in zip(group, outcomes, strict=True):
            _settle(member.outcome, outcome)


def _settle(future: "asyncio.Future[Acceptance]", outcome: Acceptance | Refusal | Exception) -> None:
    if future.done():
        return  # its caller went away
    if isinstance(outcome, Acceptance):
        future.set_result(outcome)
    else:
        future.set_exception(outcome)
