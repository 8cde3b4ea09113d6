"""The body of a request as a stream that a thread reads, from an event loop that must not wait.

A chunk is fetched when it is asked for, and not before: what nobody has read stays with the sender, held back by TCP.
A queue in between would have had to be bounded, and to tell an idle sender from a full queue.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError, Future, wait
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from worker.importing import CutShort

IDLE_SECONDS = 30.0
_LATE_SECONDS = 0.1

_STOPPED = "the server was stopped"


class ConnectionCut(CutShort):
    """Nobody is there any more."""


class Upload(io.RawIOBase):
    """Made on the event loop, read in a thread. `each_time` is called before each chunk, `when_idle` if it is late."""

    def __init__(self, request: Request) -> None:
        self.each_time: Callable[[], object] = lambda: None
        self.when_idle: Callable[[], object] = lambda: None
        self._chunks: AsyncIterator[bytes] = request.stream()
        self._loop = asyncio.get_running_loop()
        self._unread = memoryview(b"")
        self._asked: Future[bytes | None] | None = None
        self._stopped = False

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read what is there, or wait for some; `CutShort` when no more comes although it should."""
        while not self._unread:
            chunk = self._next_chunk()
            if chunk is None:
                return 0
            self._unread = memoryview(chunk)
        count = min(len(buffer), len(self._unread))
        buffer[:count] = self._unread[:count]
        self._unread = self._unread[count:]
        return count

    def stop(self) -> None:
        """Let the thread that reads know that it is over: the process is to end."""
        self._stopped = True
        if self._asked:
            self._asked.cancel()

    def live(self) -> None:
        """Have it seen that the reader lives; `CutShort` when it should not any more."""
        self.each_time()
        if self._stopped:
            raise CutShort(_STOPPED)

    def _next_chunk(self) -> bytes | None:
        self.live()
        self._asked = asked = asyncio.run_coroutine_threadsafe(self._fetch(), self._loop)
        if self._stopped:  # just now: nobody has cancelled what was asked for last
            asked.cancel()
        try:
            if wait([asked], _LATE_SECONDS).not_done:
                self.when_idle()
            return asked.result()
        except ClientDisconnect:
            raise ConnectionCut("the connection was cut") from None
        except TimeoutError:
            raise CutShort(f"nothing came for {IDLE_SECONDS:.0f} s") from None
        except CancelledError:
            raise CutShort(_STOPPED) from None
        finally:
            asked.cancel()  # nobody waits for it any more, if `when_idle` has raised something

    async def _fetch(self) -> bytes | None:
        async with asyncio.timeout(IDLE_SECONDS):
            return await anext(self._chunks, None)
