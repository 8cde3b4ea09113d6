"""A job: one accepted bulk upsert, and what becomes of it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

JobStatus = Literal["accepted", "applied", "dead"]
KeySpace = Literal["user", "celery", "stream", "hook", "import", "retry"]
"""Who chose the idempotency key: users can reach only their own space."""


class IdempotencyKey(NamedTuple):
    """The key of a request, in the space of whoever chose it."""

    space: KeySpace
    value: str


MAX_KEY_CHARACTERS = 255


def is_key(key: str) -> bool:
    """Tell whether an idempotency key has 1 to 255 visible ASCII characters."""
    return 1 <= len(key) <= MAX_KEY_CHARACTERS and all("!" <= character <= "~" for character in key)


Action = Literal["created", "updated", "unchanged", "duplicate", "skipped", "error"]
"""What became of one row of a request."""

_ACTIONS: dict[str, Action] = {"c": "created", "u": "updated", "n": "unchanged"}


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of input row `index`. `position`: its place among the folded rows, None for a row with an error."""

    index: int
    action: Action
    position: int | None


def row_results(
    received: int, bad: Collection[int], duplicates: Mapping[int, int], outcomes: str
) -> Iterator[RowResult]:
    """Give every input row in order. `outcomes` has a letter for each folded row, in the order of first mention."""
    position = 0
    for index in range(received):
        if index in bad:
            yield RowResult(index, "error", None)
        elif index in duplicates:
            yield RowResult(index, "duplicate", duplicates[index])
        else:
            yield RowResult(index, _ACTIONS[outcomes[position]], position)
            position += 1


# What a transaction costs is shared by its rows: 5,000 at a time are a fifth faster than 2,000; 8,000 would gain
# another 4 %. A lead that arrives behind an import waits for one such batch, about 0.1 s.
BATCH_ROWS = 5_000
# A statement holds its rows several times over: rows of 64 KiB, the most there may be, come to 320 MB at 5,000 a time.
# Ordinary ones come to 1.5 MB.
BATCH_BYTES = 8 * 1024 * 1024
# Of single leads, 200 at a time were applied at 1,800 jobs/s and 500 at 4,400; 1,000 gained nothing more.
BATCH_JOBS = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """An accepted job as its lane sees it: its number, folded rows and their bytes, and how often it was tried alone.

    `suspect`: it was taken before and not applied, alone or with others, so it may be what fails.
    """

    number: int
    rows: int
    bytes: int
    attempts: int
    suspect: bool


def next_batch(waiting: Sequence[Waiting]) -> Sequence[Waiting]:
    """Choose the jobs to apply together: the oldest, up to a few thousand rows and a few megabytes.

    A suspect is taken alone, and never stepped over.
    """
    rows = size = 0
    for count, job in enumerate(waiting):
        rows += job.rows
        size += job.bytes
        if count and (rows > BATCH_ROWS or size > BATCH_BYTES or job.suspect):
            return waiting[:count]
        if job.suspect:
            return waiting[:1]
    return waiting


def is_exhausted(job: Waiting, max_attempts: int) -> bool:
    """Tell whether the job has failed by itself often enough to be set aside as `dead`."""
    return job.attempts >= max_attempts


def segments(jobs: int, earlier: Mapping[int, int]) -> list[range]:
    """Cut a batch of jobs 1…`jobs` into runs in which no email occurs twice.

    Within such a run the jobs can be merged at once and still count as if applied one after another.
    `earlier` names, for a job that shares an email with a job before it, the latest of those.
    """
    starts = [1]
    for job in range(2, jobs + 1):
        if earlier.get(job, 0) >= starts[-1]:
            starts.append(job)
    return [range(start, end) for start, end in pairwise([*starts, jobs + 1])]
