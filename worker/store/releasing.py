"""Release: due enrollments of a running campaign become sends, in its lane.

`settle` and `release` are `domain.sequence` as set-based SQL; a property test holds them equal.
"""

from datetime import datetime
from time import monotonic
from typing import NamedTuple

from sqlalchemy import text
from sqlmodel import Session

from domain.job import BATCH_ROWS
from worker.observability import record
from worker.store import stages
from worker.store.connection import after_commit
from worker.store.lookups import only_by_index
from worker.store.stages import Items

# As many as a batch may enroll: fewer, and an import into a running campaign would release ever later than it applies.
CHUNK = BATCH_ROWS

# FOR SHARE: a start or pause that is under way ends first, and the next one waits for this chunk. What is released is
# read by the next statement, when the answer is certain.
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
), progress AS (
    INSERT INTO campaign_minute AS so_far (campaign_id, minute, sent, failed, given_up)
    SELECT
        :campaign, date_trunc('minute', statement_timestamp()),
        count(*) FILTER (WHERE status = 'sent'), count(*) FILTER (WHERE status = 'failed'),
        coalesce(sum(cardinality(delay.days) - step) FILTER (WHERE status = 'failed'), 0)
    FROM finished, delay HAVING count(*) > 0
    ON CONFLICT (campaign_id, minute) DO UPDATE SET
        sent = so_far.sent + excluded.sent, failed = so_far.failed + excluded.failed,
        given_up = so_far.given_up + excluded.given_up
)
SELECT
    (SELECT count(*) FROM finished),
    status = 'running' AND NOT EXISTS (SELECT FROM stage_pause WHERE stage = 'release')
FROM campaign WHERE id = :campaign FOR SHARE
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
    RETURNING id, position, enrolled_at
), queued AS (
    INSERT INTO send (campaign_id, lead_id, step, accepted_at, trace)
    SELECT
        :campaign, id, position,
        CASE WHEN position = 1 AND enrolled_at >= CAST(:accepted_at AS timestamptz) THEN :accepted_at END, :trace
    FROM released ORDER BY id
    ON CONFLICT ON CONSTRAINT send_lead_step DO NOTHING
    RETURNING 1
), progress AS (
    INSERT INTO campaign_minute AS so_far (campaign_id, minute, released, released_at)
    SELECT :campaign, date_trunc('minute', statement_timestamp()), count(*), statement_timestamp()
    FROM queued HAVING count(*) > 0
    ON CONFLICT (campaign_id, minute) DO UPDATE SET
        released = so_far.released + excluded.released, released_at = excluded.released_at
)
SELECT
    (SELECT count(*) FROM released), (SELECT count(*) FROM queued),
    to_timestamp(avg(extract(epoch FROM due_at))) FROM due
""")


def settle(session: Session, campaign: int) -> tuple[int, bool]:
    """Move enrollments on whose send is finished; give how many, `CHUNK` at most, and whether release may go on."""
    only_by_index(session)
    settled, may_release = session.connection().execute(_SETTLE, {"campaign": campaign, "chunk": CHUNK}).one()
    return settled, may_release


class Origin(NamedTuple):
    """Where the leads of a release come from: when the jobs just applied were accepted, and the trace they are in."""

    accepted_at: datetime | None = None
    trace: str | None = None


def release(session: Session, campaign: int, origin: Origin = Origin()) -> int:  # noqa: B008  # it never changes
    """Queue the next step of leads that are due, in a campaign that runs; give how many, `CHUNK` at most."""
    only_by_index(session)
    began = monotonic()
    which = {"campaign": campaign, "chunk": CHUNK, **origin._asdict()}
    released, queued, due_since = session.connection().execute(_RELEASE, which).one()
    if released:
        after_commit(session, record.released, began, released, queued, due_since)
        stages.add_up(session, "release", [Items(campaign, due_since, "done", released)], monotonic() - began)
    return released
