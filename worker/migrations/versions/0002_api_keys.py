"""API keys."""

from alembic import op

revision = "0002"
down_revision = "0001"

_API_KEY = """
CREATE TABLE api_key (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace,
    name text NOT NULL,
    digest bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
CREATE INDEX ix_api_key_workspace_id ON api_key (workspace_id);
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(_API_KEY)
