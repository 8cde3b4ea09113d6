"""The sequence of a campaign: its steps, and who is due for the next one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

EnrollmentStatus = Literal["waiting", "active", "completed", "stopped"]
StopReason = Literal["failed"]

MAX_DELAY_DAYS = 365
MAX_SEQUENCE_STEPS = 100
MAX_SUBJECT_CHARACTERS = 998
MAX_BODY_CHARACTERS = 512 * 1024


class SequenceStep(BaseModel):
    """One message template. `delay_days` counts after the step before was sent."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", strict=True)

    subject: str = Field(max_length=MAX_SUBJECT_CHARACTERS, pattern=r"^[^\r\n\x00]*$")
    body_html: str = Field(max_length=MAX_BODY_CHARACTERS, pattern=r"^[^\x00]*$")
    delay_days: int = Field(default=0, ge=0, le=MAX_DELAY_DAYS)


@dataclass(frozen=True, slots=True)
class Enrollment:
    """A lead's place in the sequence.

    `position` counts the steps already released. `due_at` is when the next one may be released: None while a
    send is on its way and after the sequence has ended.
    """

    status: EnrollmentStatus
    position: int
    due_at: datetime | None
    stop_reason: StopReason | None = None


def enroll(now: datetime) -> Enrollment:
    """Place a new lead at the start: step one is due at once."""
    return Enrollment("waiting", 0, now)


def is_due(enrollment: Enrollment, now: datetime) -> bool:
    """Tell whether the next step may be released, provided the campaign is running."""
    return enrollment.due_at is not None and enrollment.due_at <= now


def release(enrollment: Enrollment) -> Enrollment:
    """Take one step: nothing more is due until its send is finished."""
    return Enrollment("active", enrollment.position + 1, None)


def after_sent(enrollment: Enrollment, delays: Sequence[int], sent_at: datetime) -> Enrollment:
    """Go on after the send of step `position` left: `delays` are the days before each step."""
    if enrollment.position >= len(delays):
        return Enrollment("completed", enrollment.position, None)
    due_at = sent_at + timedelta(days=delays[enrollment.position])
    return Enrollment("active", enrollment.position, due_at)


def after_failed(enrollment: Enrollment) -> Enrollment:
    """Stop where a send has failed for good."""
    return Enrollment("stopped", enrollment.position, None, "failed")
