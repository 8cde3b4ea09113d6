"""The turns of a lane: apply what was accepted, release who is due, in short transactions one after another.

A turn is bounded, then the worker goes on to the next campaign that has work. What a turn leaves behind, its
caller nudges about.
"""

from collections.abc import Callable
from enum import Enum, auto
from time import monotonic

from sqlmodel import Session

from domain.job import BATCH_JOBS, Waiting, is_exhausted, next_batch
from worker import nudges
from worker.settings import settings
from worker.store import lane, ledger, merging, releasing
from worker.store.connection import after_commit, transaction
from worker.store.trouble import is_store_trouble

TURN_SECONDS = 2.0


class Move(Enum):
    """What one transaction in the lane came to."""

    PROGRESS = auto()
    NOTHING_TO_DO = auto()
    LANE_TAKEN = auto()


class StoreTrouble(Exception):
    """PostgreSQL could not do the work now: wait, then go on. `clean_up` is to be done first."""

    def __init__(self, clean_up: Callable[[], object]) -> None:
        super().__init__(type(self).__doc__)
        self.clean_up = clean_up


def apply_turn(campaign: int) -> bool:
    """Apply accepted jobs in order, then release who became due; True when work was left behind."""
    deadline = monotonic() + TURN_SECONDS
    move = _apply_batch(campaign, wait=True)
    while move is Move.PROGRESS and monotonic() < deadline:
        release_due(campaign, deadline)
        move = _apply_batch(campaign, wait=False)
    return release_due(campaign, deadline) or move is Move.PROGRESS


def release_turn(campaign: int) -> bool:
    """Take note of finished sends and release who is due; True when work was left behind."""
    return release_due(campaign, monotonic() + TURN_SECONDS, wait=True)


def release_due(campaign: int, deadline: float, *, wait: bool = False) -> bool:
    """Settle and release chunk after chunk; True when the deadline came first."""
    while (move := _release_chunk(campaign, wait=wait)) is Move.PROGRESS:
        if monotonic() >= deadline:
            return True
        wait = False
    return False


def _apply_batch(campaign: int, *, wait: bool) -> Move:
    batch: list[Waiting] = []
    try:
        with transaction() as session:
            if not lane.take(session, campaign, wait=wait):
                return Move.LANE_TAKEN
            batch += next_batch(ledger.oldest_accepted(session, campaign, BATCH_JOBS))
            if not batch:
                return Move.NOTHING_TO_DO
            _apply(session, campaign, batch)
    except Exception as error:
        _after_failure([job.number for job in batch], error)
    return Move.PROGRESS


def _apply(session: Session, campaign: int, batch: list[Waiting]) -> None:
    if is_exhausted(batch[0], settings().max_attempts):
        ledger.bury(session, batch[0].number)
        return
    numbers = [job.number for job in batch]
    ledger.count_attempt(numbers)
    merging.apply_jobs(session, campaign, numbers)


def _after_failure(numbers: list[int], error: Exception) -> None:
    """A failure of the jobs counts against them; trouble with the store takes the attempt back."""
    if is_store_trouble(error):
        raise StoreTrouble(lambda: ledger.count_attempt(numbers, by=-1)) from error
    ledger.note_failure(numbers, error)


def _release_chunk(campaign: int, *, wait: bool) -> Move:
    with transaction() as session:
        if not lane.take(session, campaign, wait=wait):
            return Move.LANE_TAKEN
        settled = releasing.settle(session, campaign)
        released = releasing.release(session, campaign)
        if released:
            after_commit(session, nudges.deliver)
    more = max(settled, released) == releasing.CHUNK
    return Move.PROGRESS if more else Move.NOTHING_TO_DO
