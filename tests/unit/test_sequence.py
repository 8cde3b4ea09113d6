"""Who is due, and what a step changes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.sequence import SequenceStep, after_failed, after_sent, enroll, is_due, release

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_a_new_lead_is_due_at_once_and_only_until_released() -> None:
    enrollment = enroll(NOW)

    assert (enrollment.status, enrollment.position) == ("waiting", 0)
    assert is_due(enrollment, NOW)
    assert not is_due(enrollment, NOW - timedelta(microseconds=1))
    assert not is_due(release(enrollment), NOW + timedelta(days=999))


@given(st.lists(st.integers(0, 365), min_size=1, max_size=6))
def test_every_step_is_due_its_delay_after_the_step_before_until_the_sequence_is_completed(delays: list[int]) -> None:
    enrollment, now = enroll(NOW), NOW
    for step in range(1, len(delays) + 1):
        enrollment = release(enrollment)
        assert (enrollment.status, enrollment.position, enrollment.due_at) == ("active", step, None)
        enrollment = after_sent(enrollment, delays, now)
        if step < len(delays):
            assert enrollment.due_at == now + timedelta(days=delays[step])
            assert is_due(enrollment, enrollment.due_at)
            now = enrollment.due_at

    assert (enrollment.status, enrollment.position, enrollment.due_at) == ("completed", len(delays), None)


def test_a_failed_send_stops_the_enrollment_where_it_is() -> None:
    stopped = after_failed(release(enroll(NOW)))

    assert (stopped.status, stopped.position, stopped.stop_reason) == ("stopped", 1, "failed")
    assert not is_due(stopped, NOW + timedelta(days=999))


@pytest.mark.parametrize(
    "step",
    [
        {"subject": "a\nb", "bodyHtml": ""},
        {"subject": "a\r", "bodyHtml": ""},
        {"subject": "a\n", "bodyHtml": ""},
        {"subject": "\0", "bodyHtml": ""},
        {"subject": "", "bodyHtml": "\0"},
        {"subject": "\ud800", "bodyHtml": ""},
        {"subject": "", "bodyHtml": "\ud800"},
        {"subject": "x" * 999, "bodyHtml": ""},
        {"subject": "", "bodyHtml": "x" * (512 * 1024 + 1)},
        {"subject": "", "bodyHtml": "", "delayDays": -1},
        {"subject": "", "bodyHtml": "", "delayDays": 366},
        {"subject": "", "bodyHtml": "", "delayDays": True},
        {"subject": "", "bodyHtml": "", "delayDays": "1"},
        {"subject": "", "bodyHtml": "", "delay": 1},
        {"subject": 1, "bodyHtml": ""},
        {"bodyHtml": ""},
        {"subject": ""},
    ],
    ids=lambda step: ascii(step)[:50],
)
def test_a_step_that_cannot_be_sent_is_refused(step: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SequenceStep.model_validate(step)


def test_a_step_is_taken_up_to_its_limits() -> None:
    step = SequenceStep.model_validate({"subject": "x" * 998, "bodyHtml": "x\n" * 256 * 1024, "delayDays": 365})

    assert step.delay_days == 365
    assert SequenceStep.model_validate({"subject": "", "bodyHtml": ""}).delay_days == 0
