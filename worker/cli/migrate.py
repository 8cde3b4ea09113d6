"""`enroll migrate`: the schema of the store."""

from worker.cli.output import say
from worker.store import schema


def migrate() -> None:
    """Bring the tables up to date; once they are, this does nothing."""
    schema.migrate()
    say("The tables are up to date.")
