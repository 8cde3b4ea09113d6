"""Sources of webhooks, and what became of their last deliveries."""

from alembic import op

revision = "0003"
down_revision = "0002"

_SOURCE = """
CREATE TABLE source (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace,
    campaign_id bigint NOT NULL REFERENCES campaign,
    name text NOT NULL,
    scheme text COLLATE "C" NOT NULL,
    secret text COLLATE "C" NOT NULL,
    previous_secret text COLLATE "C",
    previous_secret_until timestamptz,
    header text COLLATE "C",
    encoding text COLLATE "C",
    prefix text COLLATE "C",
    id_header text COLLATE "C",
    id_path text,
    leads_path text NOT NULL,
    mapping jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    CONSTRAINT source_scheme CHECK (scheme IN ('standard', 'hmac')),
    CONSTRAINT source_encoding CHECK (encoding IN ('hex', 'base64'))
);
CREATE INDEX ix_source_workspace_id ON source (workspace_id);
"""

# Refusals of one kind are one row: whoever has no secret can neither fill the table nor push the others out of it.
_SOURCE_DELIVERY = """
CREATE TABLE source_delivery (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id bigint NOT NULL REFERENCES source,
    received_at timestamptz NOT NULL DEFAULT now(),
    outcome text COLLATE "C" NOT NULL,
    detail text COLLATE "C",
    job_id bigint,
    times bigint NOT NULL DEFAULT 1
);
CREATE INDEX source_delivery_source ON source_delivery (source_id, id);
CREATE UNIQUE INDEX source_delivery_refused ON source_delivery (source_id, detail) WHERE outcome = 'refused';
"""


def upgrade() -> None:
    """Make the tables."""
    for table in (_SOURCE, _SOURCE_DELIVERY):
        op.execute(table)
