"""What belongs together: the trace that a job and a send are part of, and when the job of a send was accepted."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; what was before has none."""
    op.execute("ALTER TABLE job ADD COLUMN trace text")
    op.execute("ALTER TABLE send ADD COLUMN trace text, ADD COLUMN accepted_at timestamptz")
