"""One snapshot of the store: what is read in it is of one moment, changes nothing, and ends in time.

`workspace` is everywhere the tenant whose rows may be seen; None: everybody's.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from psycopg.errors import QueryCanceled
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from worker.store.connection import engine

T = TypeVar("T")

LIMIT_SECONDS = 2
COUNTED_TO = 100_000
"""A count goes no further: more are shown as `100,000+`."""
LATER_COUNTED_TO = 10_000
"""What is due later is counted less far: it is most of what there is, and nobody waits for it."""

# Compiling a plan would take longer than most of these statements run.
_LIMITS = text(f"SELECT set_config('statement_timeout', '{LIMIT_SECONDS}s', true), set_config('jit', 'off', true)")


# One part that hangs is waited for; what hangs with it is not waited for as long again.
_LESS_TIME = text("SELECT set_config('statement_timeout', '500ms', true)")


class TookTooLong(Exception):
    """A statement ran into the time limit: the question has to be narrowed."""


@contextmanager
def snapshot() -> Generator[Session]:
    """Read in one snapshot. `TookTooLong` where a statement does not end within `LIMIT_SECONDS`."""
    chosen = engine().execution_options(begin_at="REPEATABLE READ READ ONLY")
    try:
        with Session(chosen) as session, session.begin():
            session.connection().execute(_LIMITS)
            yield session
    except DBAPIError as error:
        if isinstance(error.orig, QueryCanceled):
            raise TookTooLong from None
        raise


def in_time(session: Session, read: Callable[[], T]) -> T | None:
    """Read a part of a page; None where it takes too long, so that the other parts are shown all the same.

    From then on statements of the page have half a second each.
    """
    try:
        with session.begin_nested():
            return read()
    except DBAPIError as error:
        if not isinstance(error.orig, QueryCanceled):
            raise
    session.connection().execute(_LESS_TIME)
    return None


def rows(session: Session, statement: TextClause, **parameters: object) -> list[Any]:
    """Run a statement and give its rows."""
    return list(session.connection().execute(statement, parameters).all())


def one(session: Session, statement: TextClause, **parameters: object) -> Any:
    """Run a statement that gives one row."""
    return session.connection().execute(statement, parameters).one()
