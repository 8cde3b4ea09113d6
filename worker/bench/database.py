"""Connections beside the product's own: for the references, and for looking whether the work is done."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import errors

Connection = psycopg.Connection[Any]


@contextmanager
def connected(url: str) -> Generator[Connection]:
    """Connect; each statement is a transaction, unless one is begun. As durable as the product is."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = on")
        yield connection


def tidy(connection: Connection) -> None:
    """Do what earlier work left to do, so that it is not this one's: dead rows to clear, pages to write, statistics."""
    connection.execute("VACUUM ANALYZE lead, job, send")
    with suppress(errors.InsufficientPrivilege):  # of somebody else's server
        connection.execute("CHECKPOINT")


def empty(connection: Connection) -> None:
    """Remove leads, jobs and sends; campaigns stay."""
    connection.execute("TRUNCATE lead, job, send, lead_import, import_error")


def one_value(connection: Connection, statement: str, *parameters: object) -> Any:
    """Give the first column of the first row; None without a row."""
    row = connection.execute(statement.encode(), parameters, prepare=True).fetchone()
    return row[0] if row else None
