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
from worker.store.applied import job_ids
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
    """Apply and release until nothing is left or the turn is over; True when work may be left behind.

    What is accepted after the last look comes with a nudge of its own: the flag was cleared before the turn.
    """
    turn = _Turn(campaign)
    move = turn.take_step(wait=True)
    deadline = monotonic() + TURN_SECONDS
    while move is Move.PROGRESS and monotonic() < deadline:
        move = turn.take_step(wait=False)
    if turn.failure:
        raise turn.failure
    return move is Move.PROGRESS


class _Turn:
    """One turn; it knows which jobs callers may be told about once those whom they enrolled are released."""

    def __init__(self, campaign: int) -> None:
        self._campaign = campaign
        self._newest_done = 0
        self._origin = Origin()
        self._apart = False
        self.failure: Exception | None = None

    def take_step(self, *, wait: bool) -> Move:
        """Apply a batch and release a chunk, in one transaction.

        Apart once a release has failed with a batch, and for suspects: a release that kills its worker, each time,
        must keep neither from being applied nor from being buried.
        """
        attempt = _Attempt()
        try:
            with transaction() as session:
                if not lane.take(session, self._campaign, wait=wait):
                    return Move.LANE_TAKEN
                more = self._apply(session, attempt)
                if not (apart := self._apart or attempt.is_of_suspects):
                    attempt.is_releasing = True
                    more |= self._release(session)
        except Exception as error:  # noqa: BLE001  # whatever a job raises is counted against it
            attempt.failed(error)
            self._apart |= attempt.is_releasing
            self._origin = Origin()
            return Move.PROGRESS
        self._newest_done = max(self._newest_done, attempt.newest)
        more |= apart and self._release_apart()
        return self._told(Move.PROGRESS if more else Move.NOTHING_TO_DO)

    def _apply(self, session: Session, attempt: "_Attempt") -> bool:
        """Apply the next batch; True when more jobs may wait."""
        waiting = ledger.oldest_accepted(session, self._campaign, BATCH_JOBS)
        batch = next_batch(waiting)
        if batch:
            self._origin = attempt.apply(session, self._campaign, batch)
        return attempt.left_some or len(batch) < len(waiting) or len(waiting) == BATCH_JOBS

    def _release(self, session: Session) -> bool:
        """Release a chunk of whoever is due; True when more may be due."""
        began = monotonic()
        settled, may_release = releasing.settle(session, self._campaign)
        released = releasing.release(session, self._campaign, self._origin) if may_release else 0
        if released:
            after_commit(session, nudges.deliver)
            after_commit(session, _trace_release, self._origin, began, released)
        after_commit(session, record.release_succeeded)
        return max(settled, released) == releasing.CHUNK

    def _release_apart(self) -> bool:
        """Release in a transaction of its own; what it raises waits until the jobs behind are applied."""
        try:
            with transaction() as session:
                return lane.take(session, self._campaign, wait=False) and self._release(session)
        except Exception as error:
            record.failed("release", class_of(error))
            if is_store_trouble(error):
                raise
            self.failure = error
            return False

    def _told(self, move: Move) -> Move:
        if move is Move.NOTHING_TO_DO and self._newest_done:
            nudges.tell_finished(self._campaign, self._newest_done)
            self._newest_done = 0
        return move


class _Attempt:
    """One try at a batch: counted before it begins, so that the death of the worker counts too."""

    def __init__(self) -> None:
        self.newest = 0
        self.left_some = False
        self.is_of_suspects = False
        self.is_releasing = False
        self._counted: list[int] = []
        self._began = monotonic()

    def apply(self, session: Session, campaign: int, batch: Sequence[Waiting]) -> Origin:
        self.newest = batch[-1].number
        self.is_of_suspects = batch[0].suspect
        if is_exhausted(batch[0], settings().max_attempts):
            attempts.bury(session, batch[0].number)
            after_commit(session, _tell_of_death, batch[0].number)
            return Origin()
        numbers = [job.number for job in batch]
        attempts.count_attempt(numbers)
        self._counted = numbers
        applied = merging.apply_jobs(session, campaign, numbers)
        self._leave(session, numbers[len(applied.waits) :])
        after_commit(session, lambda: record.applied(self._began, applied.waits, applied.rows))
        trace = tracing.batch("apply", applied.traces, monotonic() - self._began, jobs=len(numbers))
        return Origin(applied.accepted_at, trace)

    def _leave(self, session: Session, numbers: Sequence[int]) -> None:
        """Leave the jobs behind those applied for the next step."""
        if numbers:
            self.newest = numbers[0] - 1
            self.left_some = True
            after_commit(session, attempts.spare, tuple(numbers))

    def failed(self, error: Exception) -> None:
        """A failure counts against the jobs. Trouble with the store does not, and is the caller's to wait out.

        Nor does a release that failed after them: that is tried apart. Where there were no jobs, the error is raised.
        """
        record.failed("release" if self.is_releasing else "apply", class_of(error), len(self._counted))
        if self.is_releasing and self.newest:
            self._take_back()
            log.error("a release failed, it is tried apart from the jobs before it: %s", where_and_what(error))
        elif is_store_trouble(error):
            self._take_back()
            raise error
        elif not self._counted:
            raise error
        else:
            _tell_of_failure(self._counted, error)
            until_done(lambda: attempts.note_failure(self._counted, error, monotonic() - self._began))

    def _take_back(self) -> None:
        if self._counted:
            until_done(lambda: attempts.take_attempt_back(self._counted), even_when_stopping=True)


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


def _trace_release(origin: Origin, began: float, released: int) -> None:
    if origin.trace:
        tracing.batch("release", [origin.trace], monotonic() - began, leads=released)
