"""The verdict on the whole: OK, degraded or stalled, by a rule that is printed beside it.

The age of the oldest due item says more than depth; old AND nothing completing is what stalled means. A queue that is
long and moves is none, nor one that a person paused.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from domain.stage import StageNow

Level = Literal["OK", "degraded", "stalled"]

STALLED_SECONDS = 300
SLOW_SECONDS = 60
FAILING_SHARE = 0.05
FAILING_FLOOR = 20

RULE = (
    f"Stalled: a stage that is not paused has an item due for more than {STALLED_SECONDS // 60} min, and finished"
    " nothing in the last {window} min. Degraded: a part is down; or due items and no worker for them; or an item due"
    f" for more than {SLOW_SECONDS} s; or more than {FAILING_SHARE:.0%} of at least {FAILING_FLOOR} items failed in"
    " that time; or sends whose outcome nobody knows; or a job died within the last hour. OK: none of it."
)


class Verdict(NamedTuple):
    """The level, and the reasons in sentences, the worst first."""

    level: Level
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else the verdict looks at. `down`: a sentence for each part that is."""

    down: Sequence[str] = ()
    queues_without_worker: Sequence[str] = ()
    unknown_sends: int = 0
    died_lately: int = 0


def judge(stages: Iterable[StageNow], around: Surroundings) -> Verdict:
    """Judge the stages and what is around them."""
    seen = list(stages)
    stalled = [_stalled(stage) for stage in seen if is_stalled(stage)]
    degraded = [
        *around.down,
        *(f"no worker takes the queue {queue}, and it has due items" for queue in around.queues_without_worker),
        *(_slow(stage) for stage in seen if is_slow(stage) and not is_stalled(stage)),
        *(_failing(stage) for stage in seen if is_failing(stage)),
        *([f"{around.unknown_sends:,} sends whose outcome nobody knows"] if around.unknown_sends else []),
        *([f"{around.died_lately:,} jobs died within the last hour"] if around.died_lately else []),
    ]
    if stalled:
        return Verdict("stalled", [*stalled, *degraded])
    return Verdict("degraded", degraded) if degraded else Verdict("OK", ["nothing is late, failing or down"])


def is_stalled(stage: StageNow) -> bool:
    """Tell whether the stage has old work, and does none."""
    return (stage.oldest_seconds or 0) > STALLED_SECONDS and not stage.done_in_window and not stage.paused


def is_slow(stage: StageNow) -> bool:
    """Tell whether an item has been due for too long."""
    return (stage.oldest_seconds or 0) > SLOW_SECONDS and not stage.paused


def is_failing(stage: StageNow) -> bool:
    """Tell whether too large a share of what the stage does fails."""
    bad = stage.failed_in_window + stage.retried_in_window
    return bad + stage.done_in_window >= FAILING_FLOOR and bad > FAILING_SHARE * (bad + stage.done_in_window)


def with_rate(stage: StageNow, done: int, failed: int, retried: int) -> StageNow:
    """Add to a stage what it did in the window."""
    return replace(stage, done_in_window=done, failed_in_window=failed, retried_in_window=retried)


def _stalled(stage: StageNow) -> str:
    return f"{stage.stage} stands still: its oldest item has been due for {stage.oldest_seconds or 0:,.0f} s"


def _slow(stage: StageNow) -> str:
    return f"{stage.stage} is late: its oldest item has been due for {stage.oldest_seconds or 0:,.0f} s, and it moves"


def _failing(stage: StageNow) -> str:
    bad = stage.failed_in_window + stage.retried_in_window
    return f"{stage.stage} fails: {bad:,} of the last {bad + stage.done_in_window:,}"
