"""Callers that wait for their jobs: no thread each, no polling each.

Workers publish which jobs are through, the release that follows them included, on one channel of Redis; each
process of the API has one subscription. What is lost there is found by one slow look a second for all callers.

| channel in Redis      | message                                               |
|-----------------------|-------------------------------------------------------|
| `enrollment:finished` | a campaign's number, and the newest job that is through |
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from worker.nudges import FINISHED
from worker.redis_client import connected, why_unreachable
from worker.reports.jobs import JobReport, read_finished_jobs
from worker.store.ledger import Acceptance
from worker.store.trouble import reason_of
from worker.web.threads import in_thread

_LOOK_EVERY_SECONDS = 1.0
_TRY_AGAIN_SECONDS = 1.0
_REMEMBERED_CAMPAIGNS = 10_000

log = logging.getLogger(__name__)


class _Waited:
    """A job that callers wait for."""

    def __init__(self, campaign: int) -> None:
        self.campaign = campaign
        self.callers = 0
        self.through: asyncio.Future[JobReport | None] = asyncio.get_running_loop().create_future()


class WaitingRoom:
    """Where callers wait for jobs."""

    def __init__(self) -> None:
        self._jobs: dict[int, _Waited] = {}
        self._newest_told: dict[int, int] = {}
        self._someone_waits = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def wait_for(self, accepted: Acceptance, seconds: float) -> JobReport | None:
        """Wait until the job is through (applied and released, or dead); None when the time is over first."""
        if self._closed:
            return None
        waited = self._jobs.setdefault(accepted.job_number, _Waited(accepted.campaign_number))
        waited.callers += 1
        self._someone_waits.set()
        try:
            async with asyncio.timeout(seconds):
                if accepted.replayed or self._was_told(accepted):
                    await self._look([accepted.job_number])
                return await asyncio.shield(waited.through)
        except TimeoutError:
            return None
        finally:
            waited.callers -= 1
            if not waited.callers:
                self._jobs.pop(accepted.job_number, None)

    def _was_told(self, accepted: Acceptance) -> bool:
        """Whether the worker was faster than we were in coming here."""
        return self._newest_told.get(accepted.campaign_number, 0) >= accepted.job_number

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Listen and look while the app runs."""
        self._loop = asyncio.get_running_loop()
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._look_again_and_again())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def let_go(self) -> None:
        """Let everyone stop waiting; may be called by the handler of a signal."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._close)

    def _close(self) -> None:
        self._closed = True
        for waited in self._jobs.values():
            if not waited.through.done():
                waited.through.set_result(None)

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_until_cut_off()
            except (RedisError, OSError) as error:
                log.warning("callers are woken by looking only, Redis is out of reach: %s", why_unreachable(error))
                await asyncio.sleep(_TRY_AGAIN_SECONDS)

    async def _listen_until_cut_off(self) -> None:
        async with (
            connected(socket_connect_timeout=3, health_check_interval=10) as client,
            cast("Any", client).pubsub(ignore_subscribe_messages=True) as subscription,
        ):
            await subscription.subscribe(FINISHED)
            async for message in subscription.listen():
                campaign, newest = map(int, message["data"].split())
                self._note(campaign, newest)
                await self._look([n for n, job in self._jobs.items() if job.campaign == campaign and n <= newest])

    def _note(self, campaign: int, newest: int) -> None:
        if len(self._newest_told) >= _REMEMBERED_CAMPAIGNS:
            self._newest_told.clear()
        self._newest_told[campaign] = max(newest, self._newest_told.get(campaign, 0))

    async def _look_again_and_again(self) -> None:
        while True:
            await self._someone_waits.wait()
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            await self._look(list(self._jobs))
            if not self._jobs:
                self._someone_waits.clear()

    async def _look(self, jobs: Iterable[int]) -> None:
        wanted = list(jobs)
        if not wanted:
            return
        try:
            finished = await in_thread(read_finished_jobs, wanted)
        except SQLAlchemyError as error:
            log.warning("callers wait on, the store cannot be asked: %s", reason_of(error))
            return
        for number, report in finished.items():
            waited = self._jobs.get(number)
            if waited and not waited.through.done():
                waited.through.set_result(report)
