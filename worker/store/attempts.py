"""Tries at the accepted jobs of a lane: counted before the work begins, so that the death of a worker counts too."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlmodel import Session

from worker.identity import process_name
from worker.store import stages
from worker.store.connection import at_once, transaction
from worker.store.trouble import reason_of, storable

# Committed on a connection of its own before the work begins, so that it survives the death of the worker. It need
# not survive the death of PostgreSQL (which is no attempt), so it waits for no disk. Only a job that is taken alone is
# known to be what failed: of one among others an attempt says nothing, but that it is a suspect.
_COUNT_ATTEMPT = """
UPDATE job SET suspect = true, attempts = attempts + {alone}
WHERE id = ANY('{{{numbers}}}') AND status = 'accepted'
"""
_TAKE_ATTEMPT_BACK = """
UPDATE job SET suspect = {alone} = 1, attempts = attempts - {alone}
WHERE id = ANY('{{{numbers}}}') AND status = 'accepted'
"""
_SPARE = "UPDATE job SET suspect = false WHERE id = ANY('{{{numbers}}}') AND status = 'accepted'"
_QUICKLY = "SELECT set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '5s', true);"

_NOTE_FAILURE = text("UPDATE job SET last_error = :error WHERE id = ANY(:numbers) AND status = 'accepted'")

_KEEP_ATTEMPT = text("""
INSERT INTO job_attempt (job_id, attempt, together, worker, started_at, error)
SELECT id, attempts, :together, :worker, now() - :seconds * interval '1 second', :error FROM job
WHERE id = ANY(:numbers) AND status = 'accepted'
""")

_BURY = text("""
UPDATE job SET status = 'dead', finished_at = statement_timestamp(),
    last_error = coalesce(last_error, 'its worker was killed each time: the job may need more memory than there is')
WHERE id = :number AND status = 'accepted'
""")


def count_attempt(numbers: Sequence[int]) -> None:
    """Commit, apart from the work, that these jobs are being tried."""
    _note_attempt(_COUNT_ATTEMPT, numbers)


def take_attempt_back(numbers: Sequence[int]) -> None:
    """Commit that an attempt that was counted was none."""
    _note_attempt(_TAKE_ATTEMPT_BACK, numbers)


def spare(numbers: Sequence[int]) -> None:
    """Commit that jobs of a batch were not tried after all."""
    _note_attempt(_SPARE, numbers)


def note_failure(numbers: Sequence[int], error: BaseException, seconds: float = 0.0) -> None:
    """Keep why the jobs failed together after so many seconds; each is taken alone from now on."""
    reason = storable(reason_of(error))
    with transaction() as session:
        session.connection().execute(_NOTE_FAILURE, {"numbers": list(numbers), "error": reason})
        tried = {"numbers": list(numbers), "together": len(numbers), "worker": process_name(), "seconds": seconds}
        session.connection().execute(_KEEP_ATTEMPT, {**tried, "error": reason})
        stages.add_up_jobs(session, numbers, "retried")


def bury(session: Session, number: int) -> None:
    """Set a job aside as `dead`; the lane goes on with the next."""
    session.connection().execute(_BURY, {"number": number})
    stages.add_up_jobs(session, [number], "failed")


def _note_attempt(statement: str, numbers: Sequence[int]) -> None:
    alone = 1 if len(numbers) == 1 else 0
    at_once(_QUICKLY + statement.format(alone=alone, numbers=",".join(map(str, numbers))))
