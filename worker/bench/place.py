"""Where is measured: servers of its own, and two databases made alike: the product's, the references'."""

import os
import secrets
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from psycopg import errors, sql

from worker.bench.database import Connection, connected
from worker.embedded.process import Say
from worker.embedded.stack import remove_data, servers
from worker.settings import Settings, settings
from worker.store import schema
from worker.store.connection import engine


@dataclass(frozen=True)
class Place:
    """The servers and the databases; `folder` holds everything, and is removed at the end."""

    folder: Path
    product_url: str
    reference_url: str
    redis_url: str

    @property
    def outbox(self) -> Path:
        """Where the messages leave to."""
        return self.folder / "outbox"


@contextmanager
def prepared_place(folder: Path, database_url: str | None, say: Say) -> Generator[Place]:
    """Start the servers and settle the settings of this process and its children, whatever `.env` says.

    `database_url`: a PostgreSQL to measure instead of the embedded one. Only databases made here are touched in it.
    """
    remove_data(folder, say)
    own = Settings(data_dir=folder, database_url=database_url, redis_url=None)
    with servers(own, say) as stack:
        _settle(folder, stack.redis_url)
        with _databases(stack.database_url) as (product, reference):
            yield Place(folder, product, reference, stack.redis_url)
    remove_data(folder, say)
    shutil.rmtree(folder)


def _settle(folder: Path, redis_url: str) -> None:
    _use(
        ENROLL_DATA_DIR=str(folder),
        ENROLL_REDIS_URL=redis_url,
        ENROLL_TRANSPORT_URL=(folder / "outbox").as_uri(),
        ENROLL_RATE_LIMIT="0",
        ENROLL_MAX_BACKLOG_JOBS="1000000",
        ENROLL_MAX_BACKLOG_JOBS_IN_ALL="1000000",
    )


def _use(**variables: str) -> None:
    os.environ.update(variables)
    settings.cache_clear()


@contextmanager
def _databases(server: str) -> Generator[tuple[str, str]]:
    """Make the product's database, with its tables, and a copy for the references; drop both at the end."""
    product, reference = (f"enroll_bench_{secrets.token_hex(4)}_{side}" for side in ("product", "reference"))
    with connected(server) as administration:
        try:
            _make(administration, product)
            _use(ENROLL_DATABASE_URL=_url_of(server, product))
            schema.migrate()
            engine().dispose()  # a database that somebody uses cannot be copied
            _make(administration, reference, template=product)
            yield _url_of(server, product), _url_of(server, reference)
        finally:
            engine().dispose()
            for name in (product, reference):
                _drop(administration, name)


def _make(administration: Connection, name: str, template: str = "template1") -> None:
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    administration.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


def _drop(administration: Connection, name: str) -> None:
    try:
        administration.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    except errors.OperationalError:
        return  # an embedded server that was stopped first: its folder goes, too


def _url_of(server: str, database: str) -> str:
    return urlunsplit(urlsplit(server)._replace(path=f"/{database}"))
