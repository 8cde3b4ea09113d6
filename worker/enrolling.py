"""The turn of a lane: apply what was accepted, release who is due, in short transactions one after another.

Whoever holds the lane does all its work, whatever nudged it: so a worker that lost the lane to a later one may
leave, and nothing waits for a sweep. A turn is bounded, then the worker goes on to the next campaign that has work.
"""

import logging
from collections.abc import Sequence
from enum import Enum, auto
from time import monotonic

from sqlmodel import Session

from domain.job import BATCH_JOBS, Waiting, is_exhausted, next_batch
from worker import nudges
from worker.observability import context, record, tracing
from worker.observability.error_classes import class_of
from worker.patience import until_done
from worker.settings import settings
from worker.store import attempts, lane, ledger, merging, releasing
from worker.store.applied import Applied, job_ids, read_applied
from worker.store.connection import after_commit, transaction
from worker.store.releasing import Origin
from worker.store.trouble import is_store_trouble
from worker.telemetry import where_and_what

TURN_SECONDS = 2.0
_NAMED_JOBS = 10

log = logging.getLogger(__name__)


class Move(Enum):
    """What one transaction in the lane came to."""

    PROGRESS = auto()
    NOTHING_TO_DO = auto()
    LANE_TAKEN = auto()


def take_turn(campaign: int) -> bool:
    """Apply and release until nothing is left or the turn is over; True when work may be left behind."""
    turn = _Turn(campaign)
    moves = turn.take_steps(wait=True)
    deadline = monotonic() + TURN_SECONDS
    while Move.PROGRESS in moves:
        if monotonic() >= deadline:
            return True
        moves = turn.take_steps(wait=False)
    return False


class _Turn:
    """One turn; it knows which jobs callers may be told about once those whom they enrolled are released."""

    def __init__(self, campaign: int) -> None:
        self._campaign = campaign
        self._newest_done = 0
        self._origin = Origin()

    def take_steps(self, *, wait: bool) -> set[Move]:
        applied = self._apply_batch(wait=wait)
        released = _release_chunk(self._campaign, self._origin)
        if released is Move.NOTHING_TO_DO and self._newest_done:
            nudges.tell_finished(self._campaign, self._newest_done)
            self._newest_done = 0
        return {applied, released}

    def _apply_batch(self, *, wait: bool) -> Move:
        attempt = _Attempt()
        try:
            with transaction() as session:
                if not lane.take(session, self._campaign, wait=wait):
                    return Move.LANE_TAKEN
                batch = next_batch(ledger.oldest_accepted(session, self._campaign, BATCH_JOBS))
                if not batch:
                    return Move.NOTHING_TO_DO
                applied = attempt.apply(session, self._campaign, batch)
            self._origin = attempt.done(applied)
            self._newest_done = batch[-1].number
        except Exception as error:  # noqa: BLE001  # whatever a job raises is counted against it
            attempt.failed(error)
        return Move.PROGRESS


class _Attempt:
    """One try at a batch: counted before it begins, so that the death of the worker counts too."""

    def __init__(self) -> None:
        self._counted: list[int] = []
        self._began = monotonic()

    def apply(self, session: Session, campaign: int, batch: Sequence[Waiting]) -> Applied | None:
        if is_exhausted(batch[0], settings().max_attempts):
            attempts.bury(session, batch[0].number)
            after_commit(session, _tell_of_death, batch[0].number)
            return None
        numbers = [job.number for job in batch]
        attempts.count_attempt(numbers)
        self._counted = numbers
        merging.apply_jobs(session, campaign, numbers)
        return read_applied(session, numbers)

    def done(self, applied: Applied | None) -> Origin:
        """Tell what is committed; give where those come from that are released next."""
        if applied is None:
            return Origin()
        record.applied(self._began, applied.waits, applied.rows)
        trace = tracing.batch("apply", applied.traces, monotonic() - self._began, jobs=len(applied.waits))
        return Origin(applied.accepted_at, trace)

    def failed(self, error: Exception) -> None:
        """A failure counts against the jobs. Trouble with the store does not, and is the caller's to wait out."""
        numbers = self._counted
        record.failed("apply", class_of(error), len(numbers))
        if is_store_trouble(error):
            if numbers:
                until_done(lambda: attempts.take_attempt_back(numbers), even_when_stopping=True)
            raise error
        _tell_of_failure(numbers, error)
        until_done(lambda: attempts.note_failure(numbers, error, monotonic() - self._began))


def _tell_of_failure(numbers: Sequence[int], error: Exception) -> None:
    ids = until_done(lambda: job_ids(numbers))
    named = " ".join(ids[:_NAMED_JOBS])
    with context.about_one_job(ids[0] if len(ids) == 1 else ""):
        log.error("%d jobs could not be applied (%s): %s", len(ids), named, where_and_what(error))


def _tell_of_death(number: int) -> None:
    record.died("apply")
    for job_id in job_ids([number]):
        with context.about_one_job(job_id):
            log.error("the job is dead: `enroll job show %s` says why", job_id)


def _release_chunk(campaign: int, origin: Origin) -> Move:
    began = monotonic()
    with transaction() as session:
        if not lane.take(session, campaign, wait=False):
            return Move.LANE_TAKEN
        settled = releasing.settle(session, campaign)
        released = releasing.release(session, campaign, origin)
        if released:
            after_commit(session, nudges.deliver)
        after_commit(session, record.release_succeeded)
    if released and origin.trace:
        tracing.batch("release", [origin.trace], monotonic() - began, leads=released)
    more = max(settled, released) == releasing.CHUNK
    return Move.PROGRESS if more else Move.NOTHING_TO_DO
