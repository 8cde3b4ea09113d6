"""Servers of the tests' own: PostgreSQL and Valkey from the pip packages, on free ports, so that they may be killed."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from redis import Redis
from support.polling import until

from domain.sequence import SequenceStep
from worker import nudges
from worker.celery import app
from worker.embedded.postgresql import EmbeddedPostgresql
from worker.embedded.valkey import EmbeddedValkey
from worker.settings import settings
from worker.store import campaigns, connection, schema
from worker.store.tables import Campaign

_databases = itertools.count()


class TestsPostgresql(EmbeddedPostgresql):
    """Waits for no disk: what is killed here is the server, never the machine."""

    def _command(self) -> Sequence[str]:
        return [*super()._command(), "--fsync=off"]


class Servers(NamedTuple):
    """The two neighbours."""

    postgresql: EmbeddedPostgresql
    valkey: EmbeddedValkey


class Store(NamedTuple):
    """A migrated, empty database, an empty Valkey and a folder for the outbox, named by the environment."""

    servers: Servers
    database_url: str
    redis: Redis
    data_dir: Path

    @property
    def outbox(self) -> Path:
        return self.data_dir / "outbox"


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("servers")
    started = Servers(TestsPostgresql(folder / "postgresql", print), EmbeddedValkey(folder / "valkey", print))
    started.postgresql.start()
    started.valkey.start()
    yield started
    started.valkey.stop()
    started.postgresql.remove()  # under root its data are not in the folder that pytest clears away


@pytest.fixture(scope="session")
def migrated(servers: Servers) -> str:
    """The name of a migrated database from which others are copied."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ENROLL_DATABASE_URL", servers.postgresql.url)
        forget_connections()
        schema.migrate()
        forget_connections()
    return urlsplit(servers.postgresql.url).path.lstrip("/")


@pytest.fixture
def store(servers: Servers, migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with _new_store(servers, migrated, tmp_path / "data", monkeypatch) as made:
        yield made


@pytest.fixture(scope="module")
def lasting_store(servers: Servers, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One for all tests of a module, for those to which it does not matter what others left there."""
    data_dir = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as environment, _new_store(servers, migrated, data_dir, environment) as made:
        yield made


@pytest.fixture
def new_campaign(store: Store) -> Callable[..., Campaign]:  # noqa: ARG001  # the store it is made in
    """Make a draft; `delays` are the days before each of its steps."""

    def make(*delays: int) -> Campaign:
        steps = [
            SequenceStep(
                subject=f"Step {n} for {{{{firstName|you}}}}", body_html="<p>Hi {{firstName}}</p>", delay_days=d
            )
            for n, d in enumerate(delays or (0,), start=1)
        ]
        return campaigns.create_campaign("default", "Test", steps)

    return make


def forget_connections() -> None:
    """Let settings and connections be made anew.

    A thread of an app that has stopped may still give one back; after that the pool would let it drop unclosed.
    """
    if connection._engine.cache_info().currsize:
        pool: Any = connection.engine().pool
        with suppress(AssertionError):
            until(lambda: not pool.checkedout(), within=2)
        connection.engine().dispose()
    for cached in (settings, connection._engine, nudges._redis):
        cached.cache_clear()


@contextmanager
def _new_store(servers: Servers, template: str, data_dir: Path, environment: pytest.MonkeyPatch) -> Iterator[Store]:
    with Redis.from_url(servers.valkey.url) as redis, _copy_of(template, servers.postgresql.url) as database_url:
        redis.flushall()
        environment.setenv("ENROLL_DATABASE_URL", database_url)
        environment.setenv("ENROLL_REDIS_URL", servers.valkey.url)
        environment.setenv("ENROLL_DATA_DIR", str(data_dir))
        forget_connections()
        # Celery reads its settings once a process: not in a test that has changed ENROLL_REDIS_URL for itself.
        assert app.conf.broker_url == servers.valkey.url
        yield Store(servers, database_url, redis, data_dir)
        forget_connections()


@contextmanager
def _copy_of(template: str, url: str) -> Iterator[str]:
    """Copy a database, and drop it again: a thousand are 9 GB to write, to replay after a kill, and to unlink."""
    parts = urlsplit(url)
    name = f"test_{next(_databases)}"
    administration = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(administration, autocommit=True) as session:
        session.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield urlunsplit(parts._replace(path=f"/{name}"))
    with suppress(psycopg.OperationalError), psycopg.connect(administration, autocommit=True) as session:
        session.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
