"""How the last hour went: a line for each stage, and marks where somebody paused it or workers started."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from domain.history import PauseChange, Paused, Started, paused_times, started
from domain.stage import STAGES, Pause, Stage
from worker.reports.ops.snapshot import rows

MINUTES = 60
_NEWEST_JOBS = 10_000
_MOST_CHANGES = 100

# The sweep samples ages, for all workspaces together.
_AGES = text("""
SELECT stage, extract(epoch FROM minute) AS minute, oldest_seconds AS value FROM stage_age
WHERE minute > now() - :minutes * interval '1 minute' ORDER BY minute
""")

# Of one workspace there is what was done. Accepting is counted from the newest jobs; where there are more than are
# looked at, the line begins with the first full minute.
_DONE = text("""
WITH newest AS MATERIALIZED (
    SELECT date_trunc('minute', created_at) AS minute FROM (
        SELECT created_at FROM job
        WHERE workspace_id BETWEEN :workspace AND :workspace ORDER BY workspace_id DESC, id DESC LIMIT :newest
    ) AS looked_at WHERE created_at > now() - :minutes * interval '1 minute'
)
SELECT 'accept' AS stage, extract(epoch FROM minute) AS minute, count(*) AS value FROM newest
WHERE (SELECT count(*) FROM newest) < :newest OR minute > (SELECT min(minute) FROM newest)
GROUP BY minute
UNION ALL
SELECT stage, extract(epoch FROM minute), sum(done) FROM stage_minute
WHERE minute > now() - :minutes * interval '1 minute' AND workspace_id = :workspace
GROUP BY stage, minute
ORDER BY minute
""")

# A pause of what is paused already changes nothing, and is no mark.
_CHANGES = text("""
SELECT target AS stage, at, who, action = 'stage.pause' AS paused FROM audit
WHERE target IN ('apply', 'release', 'deliver') AND action IN ('stage.pause', 'stage.resume') AND result = 'done'
    AND before <> after AND at > now() - :minutes * interval '1 minute'
ORDER BY target, id LIMIT :most
""")

# And the last start before: to know what the first ones took the place of.
_STARTS = text("""
SELECT date_trunc('minute', started_at) AS minute, version, count(*) AS workers FROM worker_start
WHERE started_at >= coalesce(
    (SELECT max(started_at) FROM worker_start WHERE started_at < now() - :minutes * interval '1 minute'), 'epoch')
GROUP BY minute, version ORDER BY minute, version
""")
_SINCE = text("SELECT now() - :minutes * interval '1 minute'")


@dataclass(frozen=True, slots=True)
class History:
    """The last hour. `lines`: for each stage points of (seconds since 1970, value)."""

    since: datetime
    lines: dict[Stage, list[tuple[int, float]]]
    paused: Sequence[Paused]
    started: Sequence[Started]

    def of(self, stage: Stage) -> list[Paused]:
        """Give the times in which a stage was paused."""
        return [paused for paused in self.paused if paused.stage == stage]


def history(session: Session, workspace: int | None, pauses: Sequence[Pause]) -> History:
    """Give the last hour of each stage: the age of its oldest item, or, of one workspace, what was done."""
    since: datetime = rows(session, _SINCE, minutes=MINUTES)[0][0]
    changes = [PauseChange(*row) for row in rows(session, _CHANGES, minutes=MINUTES, most=_MOST_CHANGES)]
    return History(since, _lines(session, workspace), paused_times(changes, pauses, since), _starts(session, since))


def _lines(session: Session, workspace: int | None) -> dict[Stage, list[tuple[int, float]]]:
    if workspace is None:
        found = rows(session, _AGES, minutes=MINUTES)
    else:
        found = rows(session, _DONE, minutes=MINUTES, workspace=workspace, newest=_NEWEST_JOBS)
    points: dict[Stage, list[tuple[int, float]]] = {stage: [] for stage in STAGES}
    for row in found:
        points[row.stage].append((int(row.minute), float(row.value)))
    return points


def _starts(session: Session, since: datetime) -> list[Started]:
    minutes: dict[datetime, dict[str, int]] = {}
    for minute, version, workers in rows(session, _STARTS, minutes=MINUTES):
        minutes.setdefault(minute, {})[version] = workers
    return started(list(minutes.items()), since)
