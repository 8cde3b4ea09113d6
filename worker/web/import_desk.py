"""Imports of a process side by side: a few, each in a thread of its own, so that slow uploads hold up nobody else."""

import asyncio
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from domain.errors import TooManyImports
from worker.web.upload import Upload

T = TypeVar("T")

AT_ONCE = 8
# So that one workspace cannot keep out all others.
AT_ONCE_OF_A_WORKSPACE = 4


class ImportDesk:
    """Where imports are let in, or sent away."""

    def __init__(self) -> None:
        self._running = Counter[int]()
        self._threads = ThreadPoolExecutor(AT_ONCE, "import")

    async def run(self, workspace: int, upload: Upload, work: Callable[[], T]) -> T:
        """Have a thread read an upload to its end; `TooManyImports` when too many do already."""
        with self._place(workspace):
            try:
                return await asyncio.wrap_future(self._threads.submit(work))
            except asyncio.CancelledError:
                upload.stop()
                raise

    def close(self) -> None:
        """Wait for the threads: what they read was stopped, they only write that down."""
        self._threads.shutdown()

    @contextmanager
    def _place(self, workspace: int) -> Generator[None]:
        for running, limit in (
            (self._running.total(), AT_ONCE),
            (self._running[workspace], AT_ONCE_OF_A_WORKSPACE),
        ):
            if running >= limit:
                raise TooManyImports(running=running, limit=limit)
        self._running[workspace] += 1
        try:
            yield
        finally:
            self._running[workspace] -= 1
