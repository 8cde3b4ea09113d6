"""Trouble with the store, told apart from a failure of the work: trouble is waited out, never counted."""

import psycopg
from psycopg.errors import (
    DeadlockDetected,
    IdleInTransactionSessionTimeout,
    LockNotAvailable,
    ProgramLimitExceeded,
    QueryCanceled,
    ReadOnlySqlTransaction,
    SerializationFailure,
    StatementTooComplex,
    TooManyArguments,
    TooManyColumns,
)
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

MAX_REASON_CHARACTERS = 2_000

# The driver calls these operational too, but they come with the work, every time: a job that always meets one must end
# up `dead` instead of holding its lane for ever.
_FAULTS_OF_THE_WORK = (QueryCanceled, ProgramLimitExceeded, StatementTooComplex, TooManyArguments, TooManyColumns)


class StoreUnusable(Exception):
    """PostgreSQL is there but cannot take what is fine: a table, a right or time is missing. Waited out as trouble."""


_TROUBLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    ReadOnlySqlTransaction,
    IdleInTransactionSessionTimeout,
)


def may_lie_in_the_request(error: BaseException) -> bool:
    """Tell whether a failed accept may be the fault of what was sent; all else would fail whatever is sent."""
    return not is_store_trouble(error) and (
        not isinstance(error, DBAPIError) or isinstance(error, DataError | IntegrityError)
    )


def is_store_trouble(error: BaseException) -> bool:
    """Tell whether PostgreSQL was out of reach, shutting down, failing over, full, locked or deadlocked.

    A statement that ran into its time limit, or a limit of PostgreSQL's, is no trouble of the store.
    """
    cause = _cause(error)
    if isinstance(cause, PoolTimeout | StoreUnusable):
        return True
    if isinstance(cause, _FAULTS_OF_THE_WORK):
        return False
    out_of_reach = isinstance(error, DBAPIError) and error.connection_invalidated
    return out_of_reach or isinstance(error, OperationalError | InterfaceError) or isinstance(cause, _TROUBLE)


def is_wait_for_others(error: BaseException) -> bool:
    """Tell whether the work only waited, too long or in a circle, for what somebody else had locked."""
    return isinstance(_cause(error), DeadlockDetected | LockNotAvailable | SerializationFailure)


def storable(reason: str | None) -> str | None:
    """Give a reason as PostgreSQL can hold it, whoever wrote it: without NUL and halves of characters, not too long."""
    return reason and reason.replace("\0", "").encode(errors="replace").decode()[:MAX_REASON_CHARACTERS]


def reason_of(error: BaseException) -> str:
    """Say what went wrong without quoting rows: PostgreSQL's detail and context may hold a lead's values."""
    cause = _cause(error)
    if not isinstance(cause, psycopg.Error):
        return f"{type(error).__name__}: {error}"
    message = cause.diag.message_primary or str(cause).partition("\n")[0]
    return f"{type(cause).__name__}: {message}"


def _cause(error: BaseException) -> BaseException:
    """Give the driver's error: COPY raises it as it is, everything else wrapped by SQLAlchemy."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
