"""The first tables: workspace, campaign, job, lead, send."""

from alembic import op

revision = "0001"
down_revision = None

_WORKSPACE = """
CREATE TABLE workspace (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO workspace (name) VALUES ('default');
"""

_CAMPAIGN = """
CREATE TABLE campaign (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace,
    name text NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'draft',
    sequence_steps jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    paused_at timestamptz,
    CONSTRAINT campaign_status CHECK (status IN ('draft', 'running', 'paused'))
);
CREATE INDEX ix_campaign_workspace_id ON campaign (workspace_id);
CREATE INDEX campaign_running ON campaign (id) WHERE status = 'running';
"""

# EXTERNAL: compressing the bytes of a job takes longer than writing them as they are.
_JOB = """
CREATE TABLE job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace,
    campaign_id bigint NOT NULL REFERENCES campaign,
    status text COLLATE "C" NOT NULL DEFAULT 'accepted',
    key_space text COLLATE "C",
    idempotency_key text COLLATE "C",
    fingerprint bytea NOT NULL,
    rows bytea,
    row_count integer NOT NULL,
    row_errors jsonb,
    duplicate_rows integer[],
    outcomes text COLLATE "C",
    received integer NOT NULL,
    duplicates integer NOT NULL,
    skipped integer NOT NULL DEFAULT 0,
    errors integer NOT NULL,
    created integer,
    updated integer,
    unchanged integer,
    enrolled integer,
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT job_status CHECK (status IN ('accepted', 'applied', 'dead')),
    CONSTRAINT job_adds_up CHECK (
        status <> 'applied' OR received = created + updated + duplicates + skipped + errors
    ),
    CONSTRAINT job_idempotency_key UNIQUE (workspace_id, key_space, idempotency_key)
);
ALTER TABLE job ALTER COLUMN rows SET STORAGE EXTERNAL;
CREATE INDEX job_accepted ON job (campaign_id, id) WHERE status = 'accepted';
CREATE INDEX job_campaign ON job (campaign_id, id);
CREATE INDEX job_dead ON job (id) WHERE status = 'dead';
CREATE INDEX job_kept_rows ON job (finished_at) WHERE rows IS NOT NULL;
"""

_LEAD = """
CREATE TABLE lead (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_id bigint NOT NULL,
    email text COLLATE "C" NOT NULL,
    first_name text COLLATE "C",
    company text COLLATE "C",
    job_title text COLLATE "C",
    custom_variables jsonb NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'waiting',
    position smallint NOT NULL DEFAULT 0,
    due_at timestamptz DEFAULT now(),
    enrolled_at timestamptz NOT NULL DEFAULT now(),
    stop_reason text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT lead_enrollment_status CHECK (status IN ('waiting', 'active', 'completed', 'stopped')),
    CONSTRAINT lead_campaign_email UNIQUE (campaign_id, email)
);
CREATE INDEX lead_due ON lead (campaign_id, due_at) WHERE due_at IS NOT NULL;
"""

_SEND = """
CREATE TABLE send (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    campaign_id bigint NOT NULL,
    lead_id bigint NOT NULL,
    step smallint NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'queued',
    settled boolean NOT NULL DEFAULT false,
    claim_token uuid,
    held_until timestamptz NOT NULL DEFAULT now(),
    attempts smallint NOT NULL DEFAULT 0,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT send_status CHECK (
        status IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'cancelled')
    ),
    CONSTRAINT send_lead_step UNIQUE (lead_id, step)
);
CREATE INDEX send_queued ON send (campaign_id, id) WHERE status = 'queued';
CREATE INDEX send_unsettled ON send (campaign_id, id) WHERE status IN ('sent', 'failed') AND NOT settled;
CREATE INDEX send_open ON send (status, id) WHERE status IN ('sending', 'unknown');
"""


def upgrade() -> None:
    """Make the tables and the workspace `default`."""
    for table in (_WORKSPACE, _CAMPAIGN, _JOB, _LEAD, _SEND):
        op.execute(table)
