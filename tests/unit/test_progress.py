"""How far a campaign is."""

from dataclasses import replace

from domain.progress import Progress

HALF = Progress(enrolled=100, steps=2, released=60, sent=50, failed=2, given_up=2, waiting=40, per_minute=10, runs=True)


def test_every_step_is_sent_failed_held_or_to_come() -> None:
    for progress in (HALF, replace(HALF, runs=False)):
        assert progress.total == 198
        assert progress.sent + progress.failed + progress.held + progress.remaining == progress.total
    assert (HALF.held, replace(HALF, runs=False).remaining) == (0, 0)


def test_the_end_is_that_of_what_can_be_sent_now_and_not_of_steps_due_in_days() -> None:
    assert HALF.to_do_now == 48
    assert HALF.minutes_left == 4.8


def test_where_too_many_wait_to_be_counted_all_that_is_left_is_taken() -> None:
    assert replace(HALF, waiting=None).to_do_now == HALF.left


def test_nothing_ends_where_nothing_moves_or_nothing_is_to_be_done() -> None:
    assert replace(HALF, per_minute=0).minutes_left is None
    assert replace(HALF, runs=False).minutes_left is None
    assert replace(HALF, waiting=0, released=52).minutes_left is None
