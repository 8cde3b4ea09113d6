"""What became of the deliveries of sources, for people who wonder why nothing arrives.

None of it is needed to be right, so that no statement here waits for the disk.
"""

from sqlalchemy import text
from sqlmodel import Session

from domain.job import IdempotencyKey
from domain.source import DELIVERIES_KEPT, Outcome
from worker.store.connection import transaction

# Two at once may leave one too many until the next; neither waits for the other.
_RECORD = text("""
WITH surplus AS (
    DELETE FROM source_delivery WHERE id = ANY (ARRAY(
        SELECT id FROM source_delivery
        WHERE source_id = :source AND outcome <> 'refused' AND id <= (
            SELECT id FROM source_delivery WHERE source_id = :source AND outcome <> 'refused'
            ORDER BY id DESC OFFSET :kept - 1 LIMIT 1
        )
        FOR UPDATE SKIP LOCKED
    ))
)
INSERT INTO source_delivery (source_id, outcome, detail, job_id) VALUES (:source, :outcome, :detail, :job)
""")

_COUNT_REFUSALS = text("""
INSERT INTO source_delivery (source_id, outcome, detail, times) VALUES (:source, 'refused', :detail, :times)
ON CONFLICT (source_id, detail) WHERE outcome = 'refused'
DO UPDATE SET times = source_delivery.times + excluded.times, received_at = excluded.received_at
""")

# Exact, and safe side by side: of two deliveries, the second waits here for the first to commit, and in its insert
# for the job of the first. A day's number in the key would let the same body in twice around midnight.
_FREE_KEY = text("""
UPDATE job SET idempotency_key = idempotency_key || '@' || id
WHERE workspace_id = :workspace AND key_space = :space AND idempotency_key = :key
    AND created_at <= now() - interval '24 hours'
""")

_NO_WAIT_FOR_DISK = text("SET LOCAL synchronous_commit = off")
_MAX_DETAIL_CHARACTERS = 500


def record_delivery(source: int, outcome: Outcome, detail: str | None = None, job: int | None = None) -> None:
    """Keep what became of a delivery, and of the last ones of its source."""
    shown = detail and detail[:_MAX_DETAIL_CHARACTERS].replace("\0", "")
    row = {"source": source, "outcome": outcome, "detail": shown, "job": job, "kept": DELIVERIES_KEPT}
    with transaction() as session:
        _wait_for_no_disk(session)
        session.connection().execute(_RECORD, row)


def count_refusals(source: int, detail: str, times: int) -> None:
    """Count deliveries that were refused for one reason, in one row."""
    with transaction() as session:
        _wait_for_no_disk(session)
        session.connection().execute(_COUNT_REFUSALS, {"source": source, "detail": detail, "times": times})


def free_key(workspace: int, key: IdempotencyKey) -> None:
    """Let a key that has stood for its job for 24 hours be used again."""
    with transaction() as session:
        which = {"workspace": workspace, "space": key.space, "key": key.value}
        session.connection().execute(_FREE_KEY, which)


def _wait_for_no_disk(session: Session) -> None:
    session.connection().execute(_NO_WAIT_FOR_DISK)
