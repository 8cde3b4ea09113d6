"""Jobs that were taken and not applied: suspects, to be taken alone."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the mark; jobs that were tried before get it."""
    op.execute("ALTER TABLE job ADD COLUMN suspect boolean NOT NULL DEFAULT false")
    op.execute("UPDATE job SET suspect = true WHERE status = 'accepted' AND attempts > 0")
