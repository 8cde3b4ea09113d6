"""The gauges, read from PostgreSQL: what waits at each stage, how old it is, what is stuck.

By the statements of the operations page, and one more, so that both say the same. Bounded: a fixed number of
statements on one snapshot, none may take longer than two seconds, and whoever asks again within ten gets the last
answer. While PostgreSQL cannot be asked there are no gauges, because old ones would look like the truth; the age of
`enroll_snapshot_timestamp_seconds` says so.
"""

import logging
from collections.abc import Iterator, Mapping
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from domain.stage import PAUSABLE, QUEUE_OF, StageNow
from worker.observability.snapshot_query import PAUSE_AGES, STUCK
from worker.reports.ops.snapshot import COUNTED_TO, TookTooLong, one, rows, snapshot
from worker.reports.ops.stages import apply_now, deliver_now, release_now
from worker.reports.ops.workers import Crew, crew
from worker.store.lane import LANES
from worker.store.lookups import only_by_index
from worker.store.outbox import LEASE_SECONDS
from worker.store.trouble import reason_of

KEPT_SECONDS = 10.0
_TRY_AGAIN_SECONDS = 5.0
# A part of the leads at a time, from anywhere on: of a million, each is looked at every hour and a half.
_AUDITED_LEADS = 2_000
_QUEUES = ("enrollment", "sequencer", "delivery", "maintenance")

log = logging.getLogger(__name__)


class Reading(NamedTuple):
    """One value of a gauge, without the prefix `enroll_`."""

    gauge: str
    labels: dict[str, str]
    value: float


class _Seen(NamedTuple):
    stages: tuple[StageNow, ...]
    pauses: dict[str, float]
    crew: Crew
    stuck: Mapping[str, Any]


class Sampler:
    """Looks into PostgreSQL for whoever scrapes: one look at a time, kept for a moment."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._good_until = 0.0
        self._readings: list[Reading] = []
        self._taken_at: list[Reading] = []
        self._audited_to: int | None = None

    def readings(self) -> list[Reading]:
        """Give the values of the gauges; of the time of the last look alone where PostgreSQL cannot be asked."""
        with self._lock:
            if monotonic() >= self._good_until:
                self._look()
            return [*self._readings, *self._taken_at]

    def _look(self) -> None:
        try:
            seen = _read(self._audited_to)
        except (SQLAlchemyError, TookTooLong) as error:
            log.warning("the gauges cannot be read: %s", reason_of(error))
            self._readings, self._good_until = [], monotonic() + _TRY_AGAIN_SECONDS
            return
        self._readings, self._good_until = list(_gauges(seen)), monotonic() + KEPT_SECONDS
        self._taken_at = [Reading("snapshot_timestamp_seconds", {}, float(seen.stuck["taken_at"]))]
        if not seen.stuck["unaccounted"]:  # else it looks there again, until all is well
            self._audited_to = seen.stuck["audited_to"]


def _read(audited_to: int | None) -> _Seen:
    bounds = {"bound": COUNTED_TO, "lanes": LANES >> 32, "lease": LEASE_SECONDS, "audited": _AUDITED_LEADS}
    with snapshot() as session:
        only_by_index(session)
        stages = (apply_now(session, None), release_now(session, None), deliver_now(session, None))
        pauses = {stage: float(age) for stage, age in rows(session, PAUSE_AGES)}
        stuck = one(session, STUCK, after=audited_to, **bounds)
        return _Seen(stages, pauses, crew(session), stuck._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it


def _gauges(seen: _Seen) -> Iterator[Reading]:
    for stage in seen.stages:
        yield from _of_stage(stage, paused=stage.stage in seen.pauses)
        yield from _of_trouble(stage, seen.stuck)
    for stage in PAUSABLE:
        yield Reading("paused", {"scope": stage}, stage in seen.pauses)
        yield Reading("pause_age_seconds", {"scope": stage}, seen.pauses.get(stage, 0.0))
    for queue in _QUEUES:
        hands = [worker for worker in seen.crew.alive if queue in worker.queues]
        yield Reading("workers_alive", {"queue": queue}, len(hands))
        yield Reading("worker_slots", {"queue": queue}, sum(worker.slots for worker in hands))
    yield Reading("unaccounted_enrollments", {}, seen.stuck["unaccounted"])


def _of_stage(now: StageNow, *, paused: bool) -> Iterator[Reading]:
    """Tell of one stage. What is due at a stage that is paused is held, not due."""
    labels = {"stage": now.stage, "queue": QUEUE_OF[now.stage]}
    due = min(now.due or 0, COUNTED_TO)
    yield Reading("queue_due_items", labels, 0 if paused else due)
    yield Reading("queue_oldest_due_age_seconds", labels, 0 if paused else now.oldest_seconds or 0)
    yield Reading("queue_scheduled_items", labels, min(now.later, COUNTED_TO))
    yield Reading("queue_retrying_items", labels, min(now.retrying, COUNTED_TO))
    held = min(now.held, COUNTED_TO) + (due if paused else 0)
    yield Reading("queue_held_items", {**labels, "reason": "paused"}, held)
    yield Reading("queue_held_items", {**labels, "reason": "rate_limited"}, 0)


def _of_trouble(now: StageNow, stuck: Mapping[str, Any]) -> Iterator[Reading]:
    """Tell what of a stage is at work, and what is stuck there. A release is part of its lane's work."""
    stage = {"stage": now.stage}

    def value(name: str) -> float:
        return max(float(stuck.get(f"{now.stage}_{name}") or 0), 0.0)

    if now.running is not None:
        yield Reading("running_items", stage, now.running)
        yield Reading("running_oldest_age_seconds", stage, value("running_age"))
        yield Reading("expired_leases", stage, value("expired"))
        yield Reading("dead_items", stage, value("dead"))
        yield Reading("dead_oldest_age_seconds", stage, value("dead_age"))
