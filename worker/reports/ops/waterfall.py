"""The path of a job as bars on one scale: waiting apart from work, each failed attempt by itself."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from worker.reports.ops.job import Effects, JobDetail

Look = Literal["wait", "work", "failed"]


class Bar(NamedTuple):
    """A part of the path. `left` and `width`: in parts of 100 of the whole."""

    name: str
    look: Look
    began: datetime
    seconds: float
    left: float
    width: float


class _Part(NamedTuple):
    name: str
    look: Look
    began: datetime
    ended: datetime


def waterfall(job: JobDetail, effects: Effects | None) -> list[Bar]:
    """Lay the parts out, from the acceptance to what came last."""
    parts = list(_parts(job, effects))
    ends = [part.ended for part in parts]
    whole = max(((max(ends) - job.accepted_at).total_seconds() if ends else 0.0), 0.001)
    return [_bar(part, job.accepted_at, whole) for part in parts]


def _parts(job: JobDetail, effects: Effects | None) -> Iterator[_Part]:
    attempts: Sequence[_Part] = [
        _Part(f"attempt {attempt.attempt} failed" if attempt.together == 1 else "failed with others", "failed", *times)
        for attempt in reversed(job.failed_attempts)
        for times in [(attempt.started_at, attempt.ended_at)]
    ]
    if job.taken_at and job.finished_at:
        yield _Part("waited to be taken", "wait", job.accepted_at, job.taken_at)
        yield from attempts
        yield _Part("applied", "work", job.taken_at, job.finished_at)
        yield from _after(job.finished_at, effects)
    else:
        yield from attempts


def _after(applied_at: datetime, effects: Effects | None) -> Iterator[_Part]:
    if effects and effects.released_at:
        yield _Part("until the first release", "wait", min(applied_at, effects.released_at), effects.released_at)
        if effects.first_sent_at:
            yield _Part("until the first was sent", "work", effects.released_at, effects.first_sent_at)


def _bar(part: _Part, zero: datetime, whole: float) -> Bar:
    began, seconds = (part.began - zero).total_seconds(), (part.ended - part.began).total_seconds()
    left = min(max(100 * began / whole, 0.0), 99.5)
    width = min(max(100 * seconds / whole, 0.5), 100 - left)
    return Bar(part.name, part.look, part.began, max(seconds, 0.0), round(left, 2), round(width, 2))
