"""Trouble with the store is waited out; a fault of the work counts against the work."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from worker.store.trouble import is_store_trouble, reason_of


def raised(original: psycopg.Error) -> BaseException:
    """The error as SQLAlchemy would raise it."""
    return DBAPIError.instance("SELECT 1", {}, original, psycopg.Error)


@pytest.mark.parametrize(
    "original",
    [
        errors.AdminShutdown(),
        errors.CannotConnectNow(),
        errors.ConnectionFailure(),
        errors.DeadlockDetected(),
        errors.DiskFull(),
        errors.IdleInTransactionSessionTimeout(),
        errors.LockNotAvailable(),
        errors.OutOfMemory(),
        errors.ReadOnlySqlTransaction(),
        errors.SerializationFailure(),
        errors.TooManyConnections(),
        psycopg.InterfaceError("the connection is closed"),
        psycopg.OperationalError("server closed the connection unexpectedly"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_trouble_is_waited_out(original: psycopg.Error) -> None:
    assert is_store_trouble(raised(original))
    assert is_store_trouble(original), "COPY raises the driver's error as it is"


@pytest.mark.parametrize(
    "original",
    [
        errors.CheckViolation(),
        errors.InvalidTextRepresentation(),
        errors.ProgramLimitExceeded(),
        errors.QueryCanceled(),
        errors.StatementTooComplex(),
        errors.UniqueViolation(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fault_of_the_work_counts(original: psycopg.Error) -> None:
    assert not is_store_trouble(raised(original))
    assert not is_store_trouble(original)


def test_a_pool_without_a_free_connection_is_trouble_and_a_bug_is_not() -> None:
    assert is_store_trouble(PoolTimeout())
    assert not is_store_trouble(KeyError("x"))


def test_a_reason_quotes_no_row() -> None:
    secret = errors.UniqueViolation("duplicate key value\nDETAIL:  Key (email)=(ana@x.test) already exists.")

    assert reason_of(raised(secret)) == reason_of(secret) == "UniqueViolation: duplicate key value"
