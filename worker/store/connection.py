"""The one way to the store: `transaction()`, and what runs `after_commit`.

No session state, so that PgBouncer may sit in between in transaction mode: what a connection must promise is
set at the begin of each transaction, nothing is prepared, no temporary tables, no LISTEN, no session locks.
"""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import lru_cache
from time import monotonic
from typing import Any, cast

from psycopg import Connection as PsycopgConnection
from psycopg import Error as PsycopgError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlmodel import Session

from worker.endpoints import database_url

_CONNECT = {
    "application_name": "enroll",
    "connect_timeout": 5,
    # A peer that vanished gives its locks back in seconds, not in the kernel's 15 minutes.
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "prepare_threshold": None,
    "autocommit": True,
}

# In one go, because each round trip is paid by every move: that took a fifth off a transaction of one statement. A
# frozen worker loses its transaction, and with it its lane, after 15 s.
_BEGIN = (
    "BEGIN ISOLATION LEVEL {level};"
    " SELECT set_config('synchronous_commit', 'on', true), set_config('lock_timeout', '5s', true),"
    " set_config('statement_timeout', '60s', true),"
    " set_config('idle_in_transaction_session_timeout', '15s', true),"
    " set_config('tcp_keepalives_idle', '5', true), set_config('tcp_keepalives_interval', '2', true),"
    " set_config('tcp_keepalives_count', '3', true), set_config('tcp_user_timeout', '10s', true)"
)

# Only what has no parameters can hold more than one statement.
_AS_IT_IS = {"no_parameters": True}

# A connection that was in use a moment ago is taken to be alive.
_TRUSTED_SECONDS = 1.0


def engine() -> Engine:
    """Give the engine of this process; a forked child gets its own."""
    return _engine(os.getpid())


@contextmanager
def transaction() -> Generator[Session]:
    """Run one transaction: committed at the end, rolled back on an exception, then `after_commit` runs."""
    with Session(engine(), expire_on_commit=False) as session:
        with session.begin():
            yield session
        for action, arguments in session.info.get("after_commit", {}):
            action(*arguments)


def at_once(statements: str) -> None:
    """Run statements without parameters in one round trip, as one transaction of their own."""
    with engine().connect().execution_options(at_once=True) as connection, connection.begin():
        connection.exec_driver_sql(statements, execution_options=_AS_IT_IS)


def after_commit(session: Session, action: Callable[..., object], *arguments: object) -> None:
    """Have `action` done once the transaction is committed, and only then; the same one twice is done once."""
    session.info.setdefault("after_commit", {})[action, arguments] = None


@lru_cache(maxsize=1)
def _engine(process: int) -> Engine:
    del process  # only the key: connections must not be shared across a fork
    url = make_url(database_url()).set(drivername="postgresql+psycopg")
    # A worker's process uses one connection at a time; the API has up to 40 threads.
    made = create_engine(url, connect_args=_CONNECT, max_overflow=35, pool_timeout=5, hide_parameters=True)
    event.listen(made, "checkin", _note_use)
    event.listen(made, "checkout", _demand_life)
    event.listen(made, "begin", _begin)
    return made


def _note_use(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = monotonic()


def _demand_life(connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection) -> None:
    """Have the pool make another connection when this one, unused for a while, does not answer."""
    if monotonic() - record.info.get("used_at", monotonic()) > _TRUSTED_SECONDS:
        try:
            cast("PsycopgConnection[Any]", connection).execute("")
        except PsycopgError as error:
            raise DisconnectionError from error


def _begin(connection: Connection) -> None:
    """Begin by ourselves: the driver is in autocommit, so it begins nothing."""
    options = connection.get_execution_options()
    if not options.get("at_once"):
        begin = _BEGIN.format(level=options.get("begin_at", "READ COMMITTED"))
        connection.exec_driver_sql(begin, execution_options=_AS_IT_IS)
