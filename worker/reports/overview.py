"""The whole at a glance: what waits where, and which servers that was read from."""

import re
from datetime import timedelta
from typing import cast
from urllib.parse import parse_qsl, urlencode

from pydantic import Field
from redis import RedisError
from sqlalchemy import text
from sqlmodel import Session

from worker.endpoints import database_url, redis_url
from worker.nudges import redis
from worker.reports.shapes import Shape
from worker.store.connection import transaction

# kombu keeps a list a queue and priority; the worker takes from all of them.
_PRIORITY_SUFFIXES = ("", "\x06\x163", "\x06\x166", "\x06\x169")

_JOBS = text("""
SELECT
    count(*) FILTER (WHERE status = 'accepted'),
    count(*) FILTER (WHERE status = 'dead'),
    now() - min(created_at) FILTER (WHERE status = 'accepted')
FROM job WHERE status IN ('accepted', 'dead')
""")
_LEADS = text("SELECT count(*) FROM lead")
_SENDS = text("SELECT status, count(*) AS sends FROM send GROUP BY status")


class WaitingJobs(Shape):
    """Jobs that are not applied. The age of the oldest is the proof of life: workers that live keep it small."""

    accepted: int
    dead: int
    oldest_accepted_seconds: float | None


class SendCounts(Shape):
    """Sends by status."""

    queued: int = 0
    sending: int = 0
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    cancelled: int = 0


class Overview(Shape):
    """What waits where. `queues` has the messages on each queue, or is None where Redis cannot be reached."""

    queues: dict[str, int] | None
    jobs: WaitingJobs
    leads: int
    sends: SendCounts
    broker_url: str = Field(default_factory=lambda: masked(redis_url()))
    database_url: str = Field(default_factory=lambda: masked(database_url()))


def read_overview() -> Overview:
    """Look at PostgreSQL and Redis now."""
    with transaction() as session:
        jobs, leads, sends = _jobs(session), session.connection().execute(_LEADS).scalar_one(), _sends(session)
    return Overview(queues=_queue_lengths(), jobs=jobs, leads=leads, sends=sends)


def masked(url: str) -> str:
    """Give the URL with `***` for its passwords, in the user part or among the parameters."""
    scheme, _, rest = url.partition("://")
    network = re.split("[/?]", rest, maxsplit=1)[0]
    path, _, query = rest[len(network) :].partition("?")
    user, at, hosts = network.rpartition("@")
    name, colon, _ = user.partition(":")
    shown = f"{scheme}://{name}{':***' if colon else ''}{at}{hosts}{path}"
    told = [(key, "***" if "pass" in key.lower() else value) for key, value in parse_qsl(query)]
    return f"{shown}?{urlencode(told, safe='*/')}" if told else shown


def _jobs(session: Session) -> WaitingJobs:
    accepted, dead, age = session.connection().execute(_JOBS).one()
    seconds = cast("timedelta", age).total_seconds() if age is not None else None
    return WaitingJobs(accepted=accepted, dead=dead, oldest_accepted_seconds=seconds)


def _sends(session: Session) -> SendCounts:
    rows = session.connection().execute(_SENDS)
    return SendCounts(**{row.status: row.sends for row in rows})


def _queue_lengths() -> dict[str, int] | None:
    from worker.celery_settings import QUEUES  # noqa: PLC0415  # importing it reads the settings

    try:
        return {queue: _length(queue) for queue in QUEUES}
    except RedisError:
        return None


def _length(queue: str) -> int:
    return sum(redis().llen(queue + suffix) for suffix in _PRIORITY_SUFFIXES)
