"""What the stages did, minute by minute; how old their oldest items were; and their pauses.

It is added up in the transaction of the work itself, so that it is neither more nor less than what was committed. Each
process adds to rows of its own, by one statement a batch: nobody waits for anybody.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import text
from sqlmodel import Session

from domain.stage import BANDS, PausableStage, Stage, StageNow
from worker.identity import process_name

Outcome = Literal["done", "failed", "retried"]


class Items(NamedTuple):
    """Items of one campaign that came to the same. `since`: when they became due, on average."""

    campaign: int
    since: datetime
    outcome: Outcome
    number: int = 1


_ADD_UP = """
INSERT INTO stage_minute AS so_far (
    minute, stage, process, workspace_id, wait_band, run_band, done, failed, retried, wait_seconds, run_seconds, done_at
)
SELECT
    date_trunc('minute', statement_timestamp()), :stage, :process, workspace_id,
    width_bucket(wait, CAST(:bands AS double precision[])), width_bucket(run, CAST(:bands AS double precision[])),
    coalesce(sum(items) FILTER (WHERE outcome = 'done'), 0),
    coalesce(sum(items) FILTER (WHERE outcome = 'failed'), 0),
    coalesce(sum(items) FILTER (WHERE outcome = 'retried'), 0),
    sum(wait * items), sum(run * items),
    CASE WHEN bool_or(outcome = 'done') THEN statement_timestamp() END
FROM ({items}) AS item
GROUP BY 4, 5, 6
ON CONFLICT (minute, stage, process, workspace_id, wait_band, run_band) DO UPDATE SET
    done = so_far.done + excluded.done, failed = so_far.failed + excluded.failed,
    retried = so_far.retried + excluded.retried,
    wait_seconds = so_far.wait_seconds + excluded.wait_seconds, run_seconds = so_far.run_seconds + excluded.run_seconds,
    done_at = coalesce(excluded.done_at, so_far.done_at)
"""

_ADD_UP_JOBS = text(
    _ADD_UP.format(
        items="""
    SELECT
        workspace_id, CAST(:outcome AS text) AS outcome, 1 AS items,
        greatest(extract(epoch FROM coalesce(taken_at, statement_timestamp()) - created_at), 0) AS wait,
        coalesce(greatest(extract(epoch FROM finished_at - taken_at), 0), 0) AS run
    FROM job WHERE id = ANY(:numbers)
"""
    )
)

_ADD_UP_ITEMS = text(
    _ADD_UP.format(
        items="""
    SELECT
        campaign.workspace_id, given.outcome, given.items, CAST(:run AS double precision) AS run,
        greatest(extract(epoch FROM statement_timestamp() - given.since) - :run, 0) AS wait
    FROM unnest(
        CAST(:campaigns AS bigint[]), CAST(:sinces AS timestamptz[]), CAST(:outcomes AS text[]),
        CAST(:counts AS integer[])
    ) AS given (campaign, since, outcome, items)
    JOIN campaign ON campaign.id = ANY (ARRAY[given.campaign])
"""
    )
)

_SAMPLE = text("""
INSERT INTO stage_age AS so_far (minute, stage, oldest_seconds, due)
VALUES (date_trunc('minute', now()), :stage, :oldest, :due)
ON CONFLICT (minute, stage) DO UPDATE SET
    oldest_seconds = greatest(so_far.oldest_seconds, excluded.oldest_seconds), due = excluded.due
""")

_PAUSE = text("""
INSERT INTO stage_pause (stage, paused_by, why) VALUES (:stage, :who, :why) ON CONFLICT (stage) DO NOTHING
""")
_RESUME = text("DELETE FROM stage_pause WHERE stage = :stage")

_FORGET = (
    text("DELETE FROM stage_minute WHERE minute < now() - interval '1 day'"),
    text("DELETE FROM stage_age WHERE minute < now() - interval '1 day'"),
)


def add_up_jobs(session: Session, numbers: Sequence[int], outcome: Outcome) -> None:
    """Count what became of jobs at the stage `apply`."""
    which = {"stage": "apply", "numbers": list(numbers), "outcome": outcome}
    session.connection().execute(_ADD_UP_JOBS, {**which, **_ours()})


def add_up(session: Session, stage: Stage, items: Iterable[Items], run_seconds: float) -> None:
    """Count what became of items that one batch took `run_seconds` for."""
    campaigns, sinces, outcomes, counts = zip(*items, strict=True)
    what = {"campaigns": [*campaigns], "sinces": [*sinces], "outcomes": [*outcomes], "counts": [*counts]}
    session.connection().execute(_ADD_UP_ITEMS, {"stage": stage, "run": run_seconds, **what, **_ours()})


def sample(session: Session, stages: Iterable[StageNow]) -> None:
    """Keep how old the oldest due items are."""
    rows = [{"stage": s.stage, "oldest": s.oldest_seconds or 0, "due": s.due} for s in stages if s.due is not None]
    if rows:
        session.connection().execute(_SAMPLE, rows)


def pause(session: Session, stage: PausableStage, who: str, why: str) -> bool:
    """Let a stage take nothing up any more; False where it is paused already."""
    return bool(session.connection().execute(_PAUSE, {"stage": stage, "who": who, "why": why}).rowcount)


def resume(session: Session, stage: PausableStage) -> bool:
    """Let a paused stage go on; False where it was not paused."""
    return bool(session.connection().execute(_RESUME, {"stage": stage}).rowcount)


def forget(session: Session) -> None:
    """Drop what is older than a day."""
    for statement in _FORGET:
        session.connection().execute(statement)


def _ours() -> dict[str, Any]:
    return {"process": process_name(), "bands": list(BANDS)}
