"""Figures: what one round of one measure came to, and what all rounds say."""

import gc
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """One measure of one round, each side in units a second."""

    name: str
    ours: float
    reference: float

    @property
    def measure(self) -> str:
        """The measure that it belongs to."""
        return self.name

    @property
    def ratio(self) -> float:
        """How many times as fast we are."""
        return self.ours / self.reference


@dataclass(frozen=True)
class Fact:
    """One value of one round that is no ratio: MB, seconds, a percentage. `peak_mb.worker` is one of several."""

    name: str
    value: float

    @property
    def measure(self) -> str:
        """The measure that it belongs to."""
        return self.name.partition(".")[0]


Round = Callable[[int], Iterable[Figure | Fact]]
"""Measures once; the number of the round says which side goes first."""


@dataclass(frozen=True)
class Sizes:
    """How much work a measure is."""

    leads: int = 100_000
    sqlalchemy_leads: int = 50_000
    orm_leads: int = 5_000
    http_jobs: int = 6_000
    stream_jobs: int = 20_000
    noops: int = 6_000
    releases: int = 200_000
    messages: int = 20_000
    many_leads: int = 2_000_000
    leads_a_lane: int = 50_000
    import_rows: int = 1_000_000
    idle_seconds: int = 30

    def scaled(self, scale: float) -> "Sizes":
        """Give sizes for a shorter run, in whole jobs of 500 leads."""
        return Sizes(**{name: _scaled(size, scale) for name, size in vars(self).items()})


def speed_of(count: int, work: Callable[[], object]) -> float:
    """Do the work; give how many a second that was."""
    gc.collect()
    start = perf_counter()
    work()
    return count / (perf_counter() - start)


def in_turn(number: int, sides: dict[str, Callable[[], T]]) -> dict[str, T]:
    """Do every side's work; each round another goes first, so that the machine's mood hits all."""
    names = list(sides)
    names = names if number % 2 else names[::-1]
    return {name: sides[name]() for name in names}


def _scaled(size: int, scale: float) -> int:
    if size < 500:  # noqa: PLR2004  # seconds
        return max(3, round(size * scale))
    return max(1, round(size * scale / 500)) * 500
