"""The one place that makes a client of Redis, be it a server (`redis://`, `rediss://`) or behind Sentinels.

Behind Sentinels the master is asked for whenever a connection is made, so a client outlives a failover. What a master
had confirmed and not yet told its replica is gone with it: nudges, messages, entries of the stream; never a job.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import Sentinel as AsyncSentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from worker.endpoints import redis_url
from worker.sentinels import SCHEME, Sentinels

# A Sentinel that is down must not hold up whoever can ask the next one; redis-py would try it for many seconds.
_SENTINEL_SECONDS = 1.0


def connect(**options: Any) -> Redis:
    """Make a client that never tries again: the caller knows how long, and what to do meanwhile.

    The options are those of a connection.
    """
    options["retry"] = Retry(NoBackoff(), 0)
    if sentinels := _sentinels():
        asked: Any = Sentinel(sentinels.hosts, sentinel_kwargs=_asking(sentinels, Retry))
        return asked.master_for(sentinels.master, **_login(sentinels), **options)
    return cast("Any", Redis).from_url(redis_url(), **options)


@asynccontextmanager
async def connected(**options: Any) -> AsyncGenerator[AsyncRedis]:
    """Give one for asyncio while the context lasts."""
    async with AsyncExitStack() as opened:
        if sentinels := _sentinels():
            asked: Any = AsyncSentinel(sentinels.hosts, sentinel_kwargs=_asking(sentinels, AsyncRetry))
            for sentinel in asked.sentinels:
                opened.push_async_callback(sentinel.aclose)  # closing a client of the master leaves these open
            made = asked.master_for(sentinels.master, **_login(sentinels), **options)
        else:
            made = cast("Any", AsyncRedis).from_url(redis_url(), **options)
        yield await opened.enter_async_context(made)


def celery_broker() -> tuple[str, dict[str, Any]]:
    """Give the broker's URL as Celery wants it, and the transport options that go with it."""
    if sentinels := _sentinels():
        # kombu gives Sentinels no password and no time limit but these, and takes the master's name from here only.
        asking = _asking(sentinels, Retry)
        return sentinels.for_kombu(), {"master_name": sentinels.master, "sentinel_kwargs": asking}
    return redis_url(), {}


def _sentinels() -> Sentinels | None:
    return Sentinels.of(redis_url()) if redis_url().startswith(f"{SCHEME}:") else None


def _login(sentinels: Sentinels) -> dict[str, Any]:
    return {"username": sentinels.username, "password": sentinels.password, "db": sentinels.database}


def _asking(sentinels: Sentinels, retry: Any) -> dict[str, Any]:
    limits = {"socket_timeout": _SENTINEL_SECONDS, "socket_connect_timeout": _SENTINEL_SECONDS}
    return {"password": sentinels.sentinel_password, "retry": retry(NoBackoff(), 0), **limits}


def why_unreachable(error: BaseException) -> str:
    """Say why Redis is out of reach, without the clients that redis-py quotes where no Sentinel answers: 1.5 kB."""
    return str(error).partition(" : <")[0]
