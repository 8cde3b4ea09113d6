"""The first screen: the whole system now, in a fixed number of statements on one snapshot, and one look at Redis."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from domain.stage import QUEUE_OF, STAGES, Pause, Stage, StageNow
from domain.verdict import Surroundings, Verdict, judge, with_rate
from worker.reports.ops.audit import AuditLine, audit_lines
from worker.reports.ops.broker import Broker
from worker.reports.ops.failures import Counts, Group, counts, groups
from worker.reports.ops.history import History, history
from worker.reports.ops.in_flight import InFlight, in_flight
from worker.reports.ops.operations import OperationReport, list_operations
from worker.reports.ops.rates import Rate, last_success, last_sweep, rates
from worker.reports.ops.snapshot import COUNTED_TO, in_time, one, snapshot
from worker.reports.ops.stages import apply_now, deliver_now, pauses, release_now
from worker.reports.ops.workers import ALIVE_SECONDS, Crew, crew
from worker.store.lookups import only_by_index

_NOW = text("SELECT now()")
_GROUPS_SHOWN = 6
_OPERATIONS_SHOWN = 5
_AUDIT_SHOWN = 10
_SWEPT_WITHIN_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Now:
    """What the first screen shows. A part that took too long is None, and says so."""

    at: datetime
    verdict: Verdict
    broker: Broker
    stages: Sequence[StageNow]
    too_slow: Sequence[str]
    rates: dict[Stage, Rate]
    history: History
    counts: Counts | None
    groups: Sequence[Group] | None
    flight: Sequence[InFlight] | None
    crew: Crew
    pauses: Sequence[Pause]
    operations: Sequence[OperationReport]
    audit: Sequence[AuditLine]
    last_success: float | None

    @property
    def retrying(self) -> dict[Stage, int]:
        """How many items of each stage were tried in vain and are to be tried again."""
        return {stage.stage: stage.retrying for stage in self.stages}

    @property
    def worst(self) -> StageNow | None:
        """The stage with the oldest due item."""
        aged = [stage for stage in self.stages if stage.oldest_seconds is not None]
        return max(aged, key=lambda stage: stage.oldest_seconds or 0, default=None)

    def drain_minutes(self, taken: Stage, given: Stage) -> float | None:
        """Tell in how many minutes what waits is done, at the pace of the last minutes; None: never at this pace."""
        due = next((stage.due for stage in self.stages if stage.stage == taken), None)
        net = self.rates[taken].per_minute - self.rates[given].per_minute
        return due / net if due and net > 0 else None


def read_now(workspace: int | None, broker: Broker) -> Now:
    """Look at everything now."""
    with snapshot() as session:
        only_by_index(session)
        measured = rates(session, workspace)
        held_up = pauses(session)
        stages = _stages(session, workspace, broker)
        paused = {pause.stage for pause in held_up}
        seen = [_complete(stage, measured[stage.stage], paused=stage.stage in paused) for stage in stages]
        hands = crew(session)
        found = in_time(session, lambda: counts(session, workspace, COUNTED_TO + 1))
        return Now(
            at=one(session, _NOW)[0],
            verdict=judge(seen, _around(seen, broker, hands, found, last_sweep(session))),
            broker=broker,
            stages=seen,
            too_slow=[name for name in STAGES if name not in {stage.stage for stage in seen}],
            rates=measured,
            history=history(session, workspace, held_up),
            counts=found,
            groups=in_time(session, lambda: groups(session, workspace)[:_GROUPS_SHOWN]),
            flight=in_time(session, lambda: in_flight(session, workspace)),
            crew=hands,
            pauses=held_up,
            operations=list_operations(session, workspace, _OPERATIONS_SHOWN, only_open=True),
            audit=audit_lines(session, workspace, _AUDIT_SHOWN),
            last_success=last_success(session, workspace),
        )


def read_stages(broker: Broker) -> list[StageNow]:
    """Look at the stages of all workspaces."""
    with snapshot() as session:
        only_by_index(session)
        stored = [apply_now(session, None), release_now(session, None), deliver_now(session, None)]
    return [_accept(None, broker), *stored]


def _stages(session: Session, workspace: int | None, broker: Broker) -> list[StageNow]:
    applying = in_time(session, lambda: apply_now(session, workspace))
    releasing = in_time(session, lambda: release_now(session, workspace))
    delivering = in_time(session, lambda: deliver_now(session, workspace))
    looked = [_accept(workspace, broker), applying, releasing, delivering]
    return [stage for stage in looked if stage is not None]


def _accept(workspace: int | None, broker: Broker) -> StageNow:
    """What waits in the broker is nobody's yet, so it is shown to those only who see everybody's."""
    if workspace is not None or not broker.up:
        return StageNow("accept", None, None, running=None)
    return StageNow("accept", broker.stream, broker.stream_oldest_seconds, running=None)


def _complete(stage: StageNow, rate: Rate, *, paused: bool) -> StageNow:
    return replace(with_rate(stage, rate.done, rate.failed, rate.retried), paused=paused)


def _around(
    stages: Sequence[StageNow], broker: Broker, hands: Crew, found: Counts | None, swept: float | None
) -> Surroundings:
    due = {QUEUE_OF[s.stage] for s in stages if (s.due or s.retrying) and s.stage != "accept"}
    down = [] if broker.up else ["Redis (Valkey) cannot be reached: nudges are lost, the store goes on"]
    if swept is None or swept > _SWEPT_WITHIN_SECONDS:
        down.append("nothing has swept for 3 min: beat, or every worker of the queue maintenance, is down")
    if not hands.alive:
        down.append(f"no worker has been heard of for {ALIVE_SECONDS} s")
    return Surroundings(
        down=down,
        queues_without_worker=hands.without_worker(due) if hands.alive else (),
        unknown_sends=found.unknown if found else 0,
        died_lately=found.died_lately if found else 0,
    )
