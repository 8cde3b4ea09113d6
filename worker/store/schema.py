"""The schema: brought up to date by the migrations, and whether it is.

Migrations come before the programs, and only add: the programs of a version also work on the tables of a later one,
so that old and new ones run side by side during an upgrade, and going back needs no migration. What nobody uses any
more is taken away one version later.

Alembic is imported only where a migration runs: importing it takes 0.4 s, which no worker has to pay.
"""

from functools import lru_cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlmodel import Session

from worker.store.connection import transaction

if TYPE_CHECKING:
    from alembic.config import Config

# Two that migrate at once: the second waits, and finds nothing left to do. ("migr" in ASCII.)
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(x'6d696772'::bigint)")
_NO_TIME_LIMIT = text("SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)")
_REVISION = text("SELECT version_num FROM alembic_version")
_HAS_REVISION = text("SELECT to_regclass('alembic_version') IS NOT NULL")


class TablesTooOld(Exception):
    """The tables are those of an older version: run `enroll migrate` of this version first."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


def load() -> None:
    """Import what a migration needs, for whoever has to wait for something else anyway."""
    import_module("alembic.command")


def migrate() -> None:
    """Bring the schema up to date, all of it or nothing; tables of a later version stay as they are."""
    from alembic import command  # noqa: PLC0415  # see above

    with transaction() as session:
        session.connection().execute(_NO_TIME_LIMIT)
        session.connection().execute(_ONE_AT_A_TIME)
        if _is_current(session):
            return  # Alembic would stumble over a revision that it does not know
        config = _alembic_config()
        config.attributes["connection"] = session.connection()
        command.upgrade(config, "head")


def is_current() -> bool:
    """Tell whether every migration that this version brings has run; more may have."""
    with transaction() as session:
        return _is_current(session)


def _is_current(session: Session) -> bool:
    has_revision = session.connection().execute(_HAS_REVISION).scalar_one()
    revision: str | None = session.connection().execute(_REVISION).scalar_one_or_none() if has_revision else None
    return (revision or "") >= _newest_revision()


def demand_current() -> None:
    """Raise `TablesTooOld` unless every migration that this version brings has run."""
    if not is_current():
        raise TablesTooOld


@lru_cache(maxsize=1)
def _newest_revision() -> str:
    """Read it from the names of the files, so that no API has to import Alembic; a test asks Alembic, too."""
    names = [file.name for file in (files("worker") / "migrations" / "versions").iterdir()]
    return max(name.partition("_")[0] for name in names if name[0].isdigit())


def _alembic_config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415  # see above

    config = Config()
    location = str(files("worker") / "migrations")
    config.set_main_option("script_location", location.replace("%", "%%"))
    return config
