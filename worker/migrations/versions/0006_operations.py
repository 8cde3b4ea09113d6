"""What the operations page needs: rates, ages, workers, attempts, pauses, sessions, audit, bulk operations."""

from alembic import op

revision = "0006"
down_revision = "0005"

_STAGE_MINUTE = """
CREATE TABLE stage_minute (
    minute timestamptz NOT NULL,
    stage text COLLATE "C" NOT NULL,
    process text COLLATE "C" NOT NULL,
    workspace_id bigint NOT NULL,
    wait_band smallint NOT NULL,
    run_band smallint NOT NULL,
    done bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    retried bigint NOT NULL DEFAULT 0,
    wait_seconds double precision NOT NULL DEFAULT 0,
    run_seconds double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (minute, stage, process, workspace_id, wait_band, run_band)
);
"""

_STAGE_AGE = """
CREATE TABLE stage_age (
    minute timestamptz NOT NULL,
    stage text COLLATE "C" NOT NULL,
    oldest_seconds double precision NOT NULL,
    due bigint NOT NULL,
    PRIMARY KEY (minute, stage)
);
"""

_STAGE_PAUSE = """
CREATE TABLE stage_pause (
    stage text COLLATE "C" PRIMARY KEY,
    paused_at timestamptz NOT NULL DEFAULT now(),
    paused_by text NOT NULL,
    why text NOT NULL,
    CONSTRAINT stage_pause_stage CHECK (stage IN ('apply', 'release', 'deliver'))
);
"""

_WORKER = """
CREATE TABLE worker (
    name text COLLATE "C" PRIMARY KEY,
    queues text[] NOT NULL,
    slots integer NOT NULL,
    busy integer NOT NULL DEFAULT 0,
    host text NOT NULL,
    pid integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now()
);
"""

_JOB = """
ALTER TABLE job ADD COLUMN taken_at timestamptz;
ALTER TABLE job ADD COLUMN applied_by text COLLATE "C";
CREATE INDEX job_workspace ON job (workspace_id, id);
CREATE INDEX job_failing ON job (id) WHERE status = 'accepted' AND last_error IS NOT NULL;
CREATE TABLE job_attempt (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id bigint NOT NULL,
    attempt integer NOT NULL,
    together integer NOT NULL,
    worker text COLLATE "C" NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT now(),
    error text NOT NULL
);
CREATE INDEX job_attempt_job ON job_attempt (job_id, id);
"""

_CAMPAIGN = """
ALTER TABLE campaign ADD COLUMN running_since timestamptz;
UPDATE campaign SET running_since = started_at WHERE status = 'running';
"""

_SEND = "CREATE INDEX send_failed ON send (id) WHERE status = 'failed'"

_OPS_SESSION = """
CREATE TABLE ops_session (
    digest bytea PRIMARY KEY,
    key_id bigint NOT NULL REFERENCES api_key,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    unmasked_until timestamptz
);
"""

_AUDIT = """
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace,
    at timestamptz NOT NULL DEFAULT now(),
    who text NOT NULL,
    action text COLLATE "C" NOT NULL,
    target text COLLATE "C",
    why text,
    before text,
    after text,
    result text NOT NULL
);
CREATE INDEX audit_target ON audit (target, id);
CREATE INDEX audit_workspace ON audit (workspace_id, id);
"""

_OPERATION = """
CREATE TABLE operation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace,
    kind text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'previewed',
    filter text NOT NULL,
    who text NOT NULL,
    why text,
    eligible integer NOT NULL,
    ineligible jsonb NOT NULL,
    done integer NOT NULL DEFAULT 0,
    skipped integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    heard_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT operation_kind CHECK (kind IN ('retryJobs', 'resolveSent', 'resolveNotSent')),
    CONSTRAINT operation_status CHECK (
        status IN ('previewed', 'running', 'cancelling', 'cancelled', 'done', 'failed')
    )
);
CREATE INDEX operation_open ON operation (id) WHERE status IN ('running', 'cancelling');
CREATE INDEX operation_workspace ON operation (workspace_id, id);
CREATE TABLE operation_item (
    operation_id bigint NOT NULL REFERENCES operation ON DELETE CASCADE,
    item bigint NOT NULL,
    outcome text COLLATE "C",
    PRIMARY KEY (operation_id, item)
);
CREATE INDEX operation_item_open ON operation_item (operation_id, item) WHERE outcome IS NULL;
"""


def upgrade() -> None:
    """Make the tables, columns and indexes."""
    measured = (_STAGE_MINUTE, _STAGE_AGE, _STAGE_PAUSE, _WORKER)
    for statement in (*measured, _CAMPAIGN, _JOB, _SEND, _OPS_SESSION, _AUDIT, _OPERATION):
        op.execute(statement)
