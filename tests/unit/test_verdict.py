from dataclasses import replace

import pytest

from domain.stage import QUEUE_OF, STAGES, StageNow, quantile
from domain.verdict import Surroundings, judge

IDLE = StageNow("apply", due=0, oldest_seconds=None)
OLD = StageNow("apply", due=9, oldest_seconds=301)
NOTHING_ELSE = Surroundings()


def test_an_idle_system_is_well() -> None:
    assert judge([IDLE], NOTHING_ELSE).level == "OK"


def test_old_work_and_nothing_done_is_stalled() -> None:
    assert judge([IDLE, OLD], NOTHING_ELSE).level == "stalled"


def test_old_work_that_moves_is_degraded_never_stalled() -> None:
    assert judge([replace(OLD, done_in_window=1)], NOTHING_ELSE).level == "degraded"


def test_a_paused_stage_is_neither_stalled_nor_late() -> None:
    assert judge([replace(OLD, paused=True)], NOTHING_ELSE).level == "OK"


def test_a_deep_queue_that_is_young_is_well() -> None:
    assert judge([replace(OLD, due=1_000_000, oldest_seconds=5)], NOTHING_ELSE).level == "OK"


@pytest.mark.parametrize(
    "around",
    [
        Surroundings(down=["Redis cannot be reached"]),
        Surroundings(queues_without_worker=["delivery"]),
        Surroundings(unknown_sends=1),
        Surroundings(died_lately=1),
    ],
)
def test_what_is_wrong_around_the_stages_degrades(around: Surroundings) -> None:
    verdict = judge([IDLE], around)
    assert verdict.level == "degraded"
    assert len(verdict.reasons) == 1


def test_the_worst_reason_comes_first() -> None:
    assert "stands still" in judge([OLD], Surroundings(unknown_sends=4)).reasons[0]


@pytest.mark.parametrize(("failed", "done", "level"), [(1, 18, "OK"), (1, 19, "OK"), (2, 18, "degraded")])
def test_failures_count_by_their_share_of_enough_items(failed: int, done: int, level: str) -> None:
    stage = replace(IDLE, done_in_window=done, failed_in_window=failed)
    assert judge([stage], NOTHING_ELSE).level == level


def test_a_quantile_is_the_bound_of_its_band() -> None:
    assert quantile({}, 0.95) is None
    assert quantile({0: 100}, 0.95) == 0.05
    assert quantile({0: 94, 3: 6}, 0.95) == 0.5
    assert quantile({14: 1}, 0.95) == float("inf")


def test_every_stage_has_its_queue() -> None:
    assert set(QUEUE_OF) == set(STAGES)
