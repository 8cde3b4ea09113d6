"""Nudges: Celery messages that say there is work. Losing one delays, and loses nothing: the sweep nudges again.

| key in Redis                    | holds                                                           |
|---------------------------------|-----------------------------------------------------------------|
| `enrollment:nudged:TASK:SUBJECT`| a nudge for this subject is on the queue and not yet taken up   |
| `enrollment:dead` (stream)      | messages that cannot become a job, see `worker.dead_letters`    |

| channel in Redis                | carries                                                         |
|---------------------------------|-----------------------------------------------------------------|
| `enrollment:finished`           | a campaign's number, and its newest job that is through         |

The flag is set with the nudge and cleared by whoever takes it up, BEFORE looking for work: what arrives after
the look finds no flag and nudges anew. So a queue holds at most one nudge a campaign, and no wake-up is lost.
"""

import logging
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, cast

from kombu.exceptions import OperationalError as BrokerError
from redis import Redis, RedisError

from worker.background_nudges import BackgroundNudges
from worker.redis_client import connect, why_unreachable

APPLY = "leads.apply"
RELEASE = "sequencer.release"
DELIVER = "delivery.deliver"
OPERATE = "maintenance.operate"
FINISHED = "enrollment:finished"

_EVERYTHING = "all"
# Longer than a round of all busy lanes: a flag that expires while its nudge still waits lets another one join it (100
# busy campaigns had 4,800 nudges on the queue after half an hour of 30 s). One that was lost with its worker is found
# by the sweep before.
_FLAG_SECONDS = 600
_QUEUE_OF = {APPLY: "enrollment", RELEASE: "sequencer", DELIVER: "delivery"}

log = logging.getLogger(__name__)


def apply(campaign_id: str) -> None:
    """Say that the lane of a campaign has accepted jobs."""
    _nudge(APPLY, campaign_id)


def release(campaign_id: str) -> None:
    """Say that leads of a campaign may be due."""
    _nudge(RELEASE, campaign_id)


def deliver() -> None:
    """Say that sends are queued."""
    _nudge(DELIVER, None)


def operate(operation: int) -> None:
    """Say that a bulk operation has items left. Without a flag: the sweep says so again, and two at once do no harm."""
    _send(OPERATE, {"operation": operation})


def sweep() -> None:
    """Have the sweep look now: what was held up may go on."""
    _send("maintenance.sweep", {})


def forget_lost() -> None:
    """Clear the flags of nudges on a queue that is empty: they are not there any more, taken up or lost."""
    client = cast("Any", redis())
    for task, queue in _QUEUE_OF.items():
        flags: list[bytes] = [] if client.llen(queue) else list(client.scan_iter(_flag(task, "*"), count=1_000))
        if flags:
            client.delete(*flags)


def tell_finished(campaign: int, newest: int) -> None:
    """Wake whoever waits for a job of the campaign up to this one: it is applied, and who was due is released."""
    try:
        cast("Any", redis()).publish(FINISHED, f"{campaign} {newest}")
    except RedisError as error:
        log.warning(
            "cannot wake the callers that wait for campaign %s, they will look: %s", campaign, why_unreachable(error)
        )


def take_up(task: str, campaign_id: str | None = None) -> None:
    """Clear the flag of a nudge; to be called before looking for its work."""
    try:
        redis().delete(_flag(task, campaign_id))
    except RedisError as error:
        log.warning("cannot clear the nudge %s of %s, it will expire: %s", task, campaign_id, why_unreachable(error))


def redis() -> Redis:
    """Give the Redis client of this process: it gives up in a second, for nobody may wait for a nudge."""
    return _redis(os.getpid())


@lru_cache(maxsize=1)
def _redis(process: int) -> Redis:
    del process  # only the key: a connection must not be shared across a fork
    return connect(socket_timeout=1, socket_connect_timeout=1)


@contextmanager
def sent_in_background() -> Generator[None]:
    """Have nudges sent by a thread while the context lasts, so that nobody waits for them."""
    global _nudge  # noqa: PLW0603  # how nudges are sent is the process's, as its connections are
    background = BackgroundNudges(_nudge_now)
    with background.running():
        _nudge = background
        try:
            yield
        finally:
            _nudge = _nudge_now


def _nudge_now(task: str, campaign_id: str | None) -> None:
    from worker.celery import app  # noqa: PLC0415  # the app's settings are read only when it is used

    flag = _flag(task, campaign_id)
    try:
        if redis().set(flag, 1, nx=True, ex=_FLAG_SECONDS):
            kwargs = {"campaign_id": campaign_id} if campaign_id else {}
            app.send_task(task, kwargs=kwargs, retry=False)
    except (RedisError, BrokerError, OSError) as error:
        log.warning("cannot nudge %s of %s, the sweep will: %s", task, campaign_id, why_unreachable(error))
        with suppress(RedisError):  # the flag of a nudge that may not have been sent would keep the sweep from it
            redis().delete(flag)


def _send(task: str, kwargs: dict[str, Any]) -> None:
    from worker.celery import app  # noqa: PLC0415  # as above

    try:
        cast("Any", redis()).ping()  # gives up in a second; sending would go on trying for longer
        app.send_task(task, kwargs=kwargs, retry=False)
    except (RedisError, BrokerError, OSError) as error:
        log.warning("cannot send %s, the sweep will do: %s", task, why_unreachable(error))


def _flag(task: str, campaign_id: str | None) -> str:
    return f"enrollment:nudged:{task}:{campaign_id or _EVERYTHING}"


_nudge: Callable[[str, str | None], None] = _nudge_now
