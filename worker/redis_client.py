"""The one place that makes a client of Redis, be it a server (`redis://`, `rediss://`) or behind Sentinels.

Behind Sentinels the master is asked for whenever a connection is made, so a client outlives a failover. What a master
had confirmed and not yet told its replica is gone with it: nudges, messages, entries of the stream; never a job.
"""

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
        return _behind(sentinels, Sentinel, Retry, options)
    return cast("Any", Redis).from_url(redis_url(), **options)


def connect_asyncio(**options: Any) -> AsyncRedis:
    """Make one for asyncio."""
    if sentinels := _sentinels():
        return _behind(sentinels, AsyncSentinel, AsyncRetry, options)
    return cast("Any", AsyncRedis).from_url(redis_url(), **options)


def celery_broker() -> tuple[str, dict[str, Any]]:
    """Give the broker's URL as Celery wants it, and the transport options that go with it."""
    if sentinels := _sentinels():
        # kombu gives Sentinels no password and no time limit but these, and takes the master's name from here only.
        asking = _asking(sentinels, Retry)
        return sentinels.for_kombu(), {"master_name": sentinels.master, "sentinel_kwargs": asking}
    return redis_url(), {}


def _sentinels() -> Sentinels | None:
    return Sentinels.of(redis_url()) if redis_url().startswith(f"{SCHEME}:") else None


def _behind(sentinels: Sentinels, library: Any, retry: Any, options: dict[str, Any]) -> Any:
    asked = library(sentinels.hosts, sentinel_kwargs=_asking(sentinels, retry))
    login = {"username": sentinels.username, "password": sentinels.password, "db": sentinels.database}
    return asked.master_for(sentinels.master, **login, **options)


def _asking(sentinels: Sentinels, retry: Any) -> dict[str, Any]:
    limits = {"socket_timeout": _SENTINEL_SECONDS, "socket_connect_timeout": _SENTINEL_SECONDS}
    return {"password": sentinels.sentinel_password, "retry": retry(NoBackoff(), 0), **limits}
