"""Waiting for what must come true, with a deadline that only a hanging program reaches."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], *, within: float = 60, what: str = "it") -> T:
    """Look again and again until the answer is true; give the answer."""
    deadline = time.monotonic() + within
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within} s, the last look gave {answer!r}")
        pause()


def pause(seconds: float = 0.02) -> None:
    """Let others run."""
    time.sleep(seconds)  # the one place that sleeps: between two looks
