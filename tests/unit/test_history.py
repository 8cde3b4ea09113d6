"""Pauses and starts within the time that is shown."""

from datetime import UTC, datetime, timedelta

from domain.history import PauseChange, Paused, Started, paused_times, started
from domain.stage import Pause

SINCE = datetime(2026, 11, 25, 12, tzinfo=UTC)


def at(minute: int) -> datetime:
    return SINCE + timedelta(minutes=minute)


def changed(stage: str, minute: int, *, paused: bool, who: str = "ana") -> PauseChange:
    return PauseChange(stage, at(minute), who, paused)


def test_a_pause_lasts_until_its_stage_is_resumed_whatever_happens_to_others() -> None:
    changes = [
        changed("apply", 5, paused=True),
        changed("deliver", 6, paused=True, who="bo"),
        changed("apply", 9, paused=False),
        changed("deliver", 20, paused=False),
    ]
    assert paused_times(changes, [], SINCE) == [
        Paused("apply", at(5), at(9), "ana"),
        Paused("deliver", at(6), at(20), "bo"),
    ]


def test_a_pause_that_began_before_is_shown_from_the_beginning() -> None:
    assert paused_times([changed("apply", 5, paused=False)], [], SINCE) == [Paused("apply", SINCE, at(5), None)]


def test_a_pause_that_lasts_is_open_and_is_shown_once() -> None:
    pauses = [Pause("apply", at(7), "ana", "why"), Pause("deliver", at(-100), "bo", "why")]
    assert paused_times([changed("apply", 7, paused=True)], pauses, SINCE) == [
        Paused("deliver", SINCE, None, "bo"),
        Paused("apply", at(7), None, "ana"),
    ]


def test_a_version_that_takes_the_place_of_another_is_a_deployment_and_a_restart_is_none() -> None:
    minutes = [(at(-30), {"1.0": 2}), (at(3), {"1.0": 1}), (at(10), {"1.1": 2}), (at(20), {"1.0": 2})]
    assert started(minutes, SINCE) == [
        Started(at(3), "1.0", 1, deployed=False),
        Started(at(10), "1.1", 2, deployed=True),
        Started(at(20), "1.0", 2, deployed=True),
    ]


def test_the_first_workers_ever_seen_took_the_place_of_nobody() -> None:
    assert started([(at(1), {"1.0": 2})], SINCE) == [Started(at(1), "1.0", 2, deployed=False)]
