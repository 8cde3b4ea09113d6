"""Release: due enrollments of a running campaign become sends, in its lane.

`settle` and `release` are `domain.sequence` as set-based SQL; a property test holds them equal.
"""

from time import monotonic

from sqlalchemy import text
from sqlmodel import Session

from domain.job import BATCH_ROWS
from worker.store import stages
from worker.store.lookups import only_by_index
from worker.store.stages import Items

# As many as a batch may enroll: fewer, and an import into a running campaign would release ever later than it applies.
CHUNK = BATCH_ROWS

# FOR SHARE: a start or pause that is under way ends first, and the next one waits for this chunk.
_RUNNING = text(
    "SELECT status = 'running' AND NOT EXISTS (SELECT FROM stage_pause WHERE stage = 'release')"
    " FROM campaign WHERE id = :campaign FOR SHARE"
)

_SETTLE = text("""
WITH finished AS (
    SELECT id, lead_id, step, status, finished_at FROM send
    WHERE campaign_id BETWEEN :campaign AND :campaign AND status IN ('sent', 'failed') AND NOT settled
    ORDER BY campaign_id, id LIMIT :chunk
), settled AS (
    UPDATE send SET settled = true WHERE id = ANY (ARRAY(SELECT id FROM finished))
), delay AS (
    SELECT array_agg(CAST(step -> 'delayDays' AS integer) ORDER BY place) AS days
    FROM campaign, jsonb_array_elements(sequence_steps) WITH ORDINALITY AS steps (step, place)
    WHERE campaign.id = :campaign
), moved AS (
    UPDATE lead SET
        status = CASE
            WHEN finished.status = 'failed' THEN 'stopped'
            WHEN finished.step >= cardinality(delay.days) THEN 'completed'
            ELSE 'active'
        END,
        stop_reason = CASE WHEN finished.status = 'failed' THEN 'failed' END,
        due_at = CASE
            WHEN finished.status = 'sent' THEN
                finished.finished_at + delay.days[finished.step + 1] * interval '24 hours'
        END
    FROM finished, delay
    WHERE lead.id = ANY (ARRAY[finished.lead_id]) AND lead.position = finished.step AND lead.status = 'active'
)
SELECT count(*) FROM finished
""")

# The order of due_at alone: leads due at one moment go in any order.
_RELEASE = text("""
WITH due AS (
    SELECT id, due_at FROM lead
    WHERE campaign_id = :campaign AND due_at <= now()
    ORDER BY due_at LIMIT :chunk
), released AS (
    UPDATE lead SET status = 'active', position = position + 1, due_at = NULL
    WHERE id = ANY (ARRAY(SELECT id FROM due))
    RETURNING id, position
), queued AS (
    INSERT INTO send (campaign_id, lead_id, step)
    SELECT :campaign, id, position FROM released ORDER BY id
    ON CONFLICT ON CONSTRAINT send_lead_step DO NOTHING
)
SELECT (SELECT count(*) FROM released), to_timestamp(avg(extract(epoch FROM due_at))) FROM due
""")


def settle(session: Session, campaign: int) -> int:
    """Move enrollments on whose send is finished; give how many sends were settled, `CHUNK` at most."""
    only_by_index(session)
    return session.connection().execute(_SETTLE, {"campaign": campaign, "chunk": CHUNK}).scalar_one()


def release(session: Session, campaign: int) -> int:
    """Queue the next step of leads that are due, if the campaign runs; give how many, `CHUNK` at most."""
    if not session.connection().execute(_RUNNING, {"campaign": campaign}).scalar_one():
        return 0
    only_by_index(session)
    began = monotonic()
    released, due_since = session.connection().execute(_RELEASE, {"campaign": campaign, "chunk": CHUNK}).one()
    if released:
        stages.add_up(session, "release", [Items(campaign, due_since, "done", released)], monotonic() - began)
    return released
