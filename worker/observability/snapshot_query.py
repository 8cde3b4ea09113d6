"""What the gauges tell beyond the operations page: what is stuck, what waits for a person, what cannot be explained."""

from sqlalchemy import text

# A lane is held by an advisory lock (worker.store.lane); for how long, the transaction under it tells. A dead job that
# was retried waits for nobody any more.
STUCK = text("""
WITH running AS MATERIALIZED (
    SELECT id FROM campaign WHERE status = 'running'
), claimed AS MATERIALIZED (
    SELECT held_until FROM send WHERE status = 'sending'
    UNION ALL
    SELECT first.held_until FROM running CROSS JOIN LATERAL (
        SELECT held_until, claim_token FROM send
        WHERE campaign_id BETWEEN running.id AND running.id AND status = 'queued' ORDER BY campaign_id, id LIMIT 1000
    ) AS first WHERE claim_token IS NOT NULL
    LIMIT :bound
), dead AS MATERIALIZED (
    SELECT finished_at FROM job
    WHERE status = 'dead' AND NOT EXISTS (
        SELECT FROM job AS anew WHERE anew.workspace_id = job.workspace_id AND anew.key_space = 'retry'
            AND anew.idempotency_key = CAST(job.id AS text)
    ) LIMIT :bound
), unknown AS MATERIALIZED (
    SELECT held_until FROM send WHERE status = 'unknown' LIMIT :bound
), audited AS MATERIALIZED (
    SELECT id, status, position, due_at FROM lead
    WHERE id > coalesce(:after, (SELECT floor(random() * max(id)) FROM lead)) ORDER BY id LIMIT :audited
)
SELECT
    extract(epoch FROM now()) AS taken_at,
    (SELECT extract(epoch FROM now() - min(activity.xact_start))
        FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)
        WHERE held.locktype = 'advisory' AND held.classid = :lanes AND held.objsubid = 1 AND held.granted
            AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) AS apply_running_age,
    (SELECT extract(epoch FROM now() - min(held_until)) + :lease FROM claimed) AS deliver_running_age,
    (SELECT count(*) FROM claimed WHERE held_until <= now()) AS deliver_expired,
    (SELECT count(*) FROM dead) AS apply_dead,
    (SELECT extract(epoch FROM now() - min(finished_at)) FROM dead) AS apply_dead_age,
    (SELECT count(*) FROM unknown) AS deliver_dead,
    (SELECT extract(epoch FROM now() - min(held_until)) FROM unknown) AS deliver_dead_age,
    (SELECT count(*) FROM audited
        WHERE status IN ('waiting', 'active') AND due_at IS NULL AND NOT EXISTS (
            SELECT FROM send WHERE send.lead_id = audited.id AND send.step = audited.position
                AND (send.status NOT IN ('sent', 'failed') OR NOT send.settled)
        )) AS unaccounted,
    (SELECT CASE WHEN count(*) = :audited THEN max(id) ELSE 0 END FROM audited) AS audited_to
""")

PAUSE_AGES = text("SELECT stage, extract(epoch FROM now() - paused_at) FROM stage_pause")
