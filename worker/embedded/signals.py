"""Signals that ask a program to stop: Ctrl-C, SIGTERM, and SIGHUP when the terminal goes away."""

import queue
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def received() -> Generator["queue.SimpleQueue[int]"]:
    """Collect the signals that ask to stop, instead of acting on them."""
    # A SimpleQueue may be filled by a handler that interrupts its reader; an Event may deadlock there.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()

    def collect(number: int, _: FrameType | None) -> None:
        signals.put(number)

    with _handled_by(collect):
        yield signals


@contextmanager
def as_interrupts() -> Generator[None]:
    """Let each of them raise KeyboardInterrupt, so that what is open is closed."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    with _handled_by(interrupt):
        yield


@contextmanager
def ignored() -> Generator[None]:
    """Pass over them for the moment it takes to clean up."""
    with _handled_by(signal.SIG_IGN):
        yield


@contextmanager
def _handled_by(handler: Any) -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return
    # What is ignored stays so: nohup means it.
    heeded = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
