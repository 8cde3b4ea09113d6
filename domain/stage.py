"""The four stages, as an operator sees them: what waits at each, how old it is, and whether it moves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, get_args

Stage = Literal["accept", "apply", "release", "deliver"]
STAGES: tuple[Stage, ...] = get_args(Stage)
PausableStage = Literal["apply", "release", "deliver"]
PAUSABLE: tuple[PausableStage, ...] = get_args(PausableStage)
"""Accepting is none of them: whoever brings leads must always be able to leave them."""

QUEUE_OF: Mapping[Stage, str] = {
    "accept": "enrollment",
    "apply": "enrollment",
    "release": "sequencer",
    "deliver": "delivery",
}

PAUSED_WITHIN_SECONDS = 10
"""A paused stage takes nothing more up; what a worker has in hand (5,000 rows, 100 sends) is finished within this."""

BANDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Seconds that bound the bands in which waits and runs are counted: band n holds what took less than the n-th."""


class Pause(NamedTuple):
    """Who paused a stage, when and why."""

    stage: str
    paused_at: datetime
    paused_by: str
    why: str


@dataclass(frozen=True, slots=True)
class StageNow:
    """A stage at one moment. Counts are as far as they were counted; None: nobody can tell.

    `due`: what may be taken up now. `retrying`: what was tried in vain and is to be tried again, now or after a
    back-off; its age goes on, so that a stage that does nothing but back off gets old.
    """

    stage: Stage
    due: int | None
    oldest_seconds: float | None
    later: int = 0
    retrying: int = 0
    held: int = 0
    running: int | None = 0
    done_in_window: int = 0
    failed_in_window: int = 0
    retried_in_window: int = 0
    paused: bool = False


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """Give the upper bound of the band in which so large a share of what was counted lies; None where nothing was."""
    total, seen = sum(counts.values()), 0
    for band in sorted(counts):
        seen += counts[band]
        if total and seen >= share * total:
            return BANDS[band] if band < len(BANDS) else float("inf")
    return None
