"""Imports of files, the rows that were not taken, and which jobs came of an import."""

from alembic import op

revision = "0004"
down_revision = "0003"

_LEAD_IMPORT = """
CREATE TABLE lead_import (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id bigint NOT NULL REFERENCES workspace,
    campaign_id bigint NOT NULL REFERENCES campaign,
    reading text COLLATE "C" NOT NULL DEFAULT 'running',
    why text,
    chunks integer NOT NULL DEFAULT 0,
    received bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    heard_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT lead_import_reading CHECK (reading IN ('running', 'complete', 'incomplete'))
);
CREATE INDEX lead_import_campaign ON lead_import (campaign_id, id);
"""

_IMPORT_ERROR = """
CREATE TABLE import_error (
    import_id bigint NOT NULL REFERENCES lead_import,
    line bigint NOT NULL,
    email text COLLATE "C",
    field text COLLATE "C",
    code text COLLATE "C" NOT NULL,
    message text COLLATE "C" NOT NULL,
    PRIMARY KEY (import_id, line)
);
"""

_JOB = """
ALTER TABLE job ADD COLUMN import_id bigint REFERENCES lead_import;
CREATE INDEX job_import ON job (import_id) WHERE import_id IS NOT NULL;
"""


def upgrade() -> None:
    """Make the tables, and let jobs say which import they came of."""
    for statement in (_LEAD_IMPORT, _IMPORT_ERROR, _JOB):
        op.execute(statement)
