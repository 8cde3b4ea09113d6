"""How far campaigns are, who tries in vain, and when workers started: what the operations page could not tell in time.

The counts of `campaign_minute` begin with what there is now. A worker of an earlier version that goes on meanwhile adds
nothing to them: stop those first.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

_CAMPAIGN_MINUTE = """
CREATE TABLE campaign_minute (
    campaign_id bigint NOT NULL,
    minute timestamptz NOT NULL,
    enrolled bigint NOT NULL DEFAULT 0,
    released bigint NOT NULL DEFAULT 0,
    sent bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    given_up bigint NOT NULL DEFAULT 0,
    released_at timestamptz,
    PRIMARY KEY (campaign_id, minute)
);
CREATE INDEX campaign_minute_minute ON campaign_minute (minute);
INSERT INTO campaign_minute (campaign_id, minute, enrolled) SELECT campaign_id, 'epoch', count(*) FROM lead GROUP BY 1;
UPDATE campaign_minute SET
    released = past.released, sent = past.sent, failed = past.failed, given_up = past.given_up,
    released_at = past.released_at
FROM (
    SELECT
        campaign.id, count(*) AS released, max(send.created_at) AS released_at,
        count(*) FILTER (WHERE send.status = 'sent' AND settled) AS sent,
        count(*) FILTER (WHERE send.status = 'failed' AND settled) AS failed,
        coalesce(sum(jsonb_array_length(sequence_steps) - step) FILTER (WHERE send.status = 'failed' AND settled), 0)
            AS given_up
    FROM send JOIN campaign ON campaign.id = send.campaign_id GROUP BY campaign.id
) AS past WHERE past.id = campaign_minute.campaign_id;
"""

_WORKER = """
ALTER TABLE worker ADD COLUMN version text NOT NULL DEFAULT 'unknown';
CREATE TABLE worker_start (
    started_at timestamptz NOT NULL DEFAULT now(),
    name text COLLATE "C" NOT NULL,
    version text NOT NULL,
    PRIMARY KEY (started_at, name)
);
"""

_STAGE_MINUTE = "ALTER TABLE stage_minute ADD COLUMN done_at timestamptz"

# Both hold what failed, so that a send that goes well pays for neither.
_SEND = """
CREATE INDEX send_failed_of_campaign ON send (campaign_id, id) WHERE status = 'failed';
CREATE INDEX send_retrying ON send (id) WHERE status = 'queued' AND last_error IS NOT NULL;
"""

_ATTEMPTS_OF_FORGOTTEN_ROWS = """
DELETE FROM job_attempt USING job WHERE job.id = job_attempt.job_id AND job.status = 'applied' AND job.rows IS NULL
"""

_OPERATION_ITEM = "CREATE INDEX operation_item_item ON operation_item (item)"


def upgrade() -> None:
    """Make the tables, columns and indexes, and count what there is."""
    made = (_CAMPAIGN_MINUTE, _WORKER, _STAGE_MINUTE, _SEND)
    for statement in (*made, _ATTEMPTS_OF_FORGOTTEN_ROWS, _OPERATION_ITEM):
        op.execute(statement)
