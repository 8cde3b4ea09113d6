"""Trouble with the store, told apart from a failure of the work: trouble is waited out, never counted."""

from psycopg.errors import QueryCanceled
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout


def is_store_trouble(error: BaseException) -> bool:
    """Tell whether PostgreSQL was out of reach, shutting down, full, locked or deadlocked.

    A statement that ran into its time limit is no trouble of the store: a job that always does must end up
    `dead` instead of holding its lane for ever.
    """
    if isinstance(error, OperationalError):
        return not isinstance(error.orig, QueryCanceled)
    return isinstance(error, InterfaceError | PoolTimeout)
