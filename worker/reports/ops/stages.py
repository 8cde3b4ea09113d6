"""The stages from the store: what is due, how old the oldest is, what waits for later or is held.

Each statement looks a few rows up in an index for each campaign, and counts to a bound: among millions of finished
jobs and sends it takes as long as among none. (A scan for the oldest accepted job took 1.1 s behind 5,000,000.) The
order, where nothing is shown in it, names the index: without it all leads of a campaign are read when `lead` was taken
for one row.
"""

from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from domain.stage import Pause, StageNow
from worker.reports.ops.snapshot import COUNTED_TO, LATER_COUNTED_TO, one, rows
from worker.store.lane import LANES

# The lanes that have accepted jobs, hopping through the index from campaign to campaign.
_LANES_WITH_JOBS = """
RECURSIVE hop AS (
    (SELECT campaign_id, id FROM job WHERE status = 'accepted' ORDER BY campaign_id, id LIMIT 1)
    UNION ALL
    SELECT next.campaign_id, next.id FROM hop
    CROSS JOIN LATERAL (
        SELECT campaign_id, id FROM job
        WHERE status = 'accepted' AND campaign_id > hop.campaign_id
        ORDER BY campaign_id, id LIMIT 1
    ) AS next
), lane AS (
    SELECT hop.campaign_id, hop.id AS oldest FROM hop
    JOIN campaign ON campaign.id = hop.campaign_id
    WHERE CAST(:workspace AS bigint) IS NULL OR campaign.workspace_id = :workspace
)
"""

_APPLY = text(f"""
WITH {_LANES_WITH_JOBS}
SELECT
    (SELECT count(*) FROM (
        SELECT FROM lane
        CROSS JOIN LATERAL (
            SELECT FROM job WHERE campaign_id = lane.campaign_id AND status = 'accepted' LIMIT :bound
        ) AS accepted
        LIMIT :bound
    ) AS bounded) AS due,
    (SELECT extract(epoch FROM now() - min(job.created_at)) FROM lane JOIN job ON job.id = lane.oldest) AS oldest,
    (SELECT count(*) FROM (
        SELECT FROM job
        WHERE status = 'accepted' AND last_error IS NOT NULL
            AND (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace)
        LIMIT :bound
    ) AS bounded) AS retrying,
    (SELECT count(*) FROM pg_locks
        JOIN campaign ON campaign.id = CAST(CAST(pg_locks.objid AS bigint) AS bigint)
        WHERE locktype = 'advisory' AND granted AND classid = :lanes AND objsubid = 1
            AND (CAST(:workspace AS bigint) IS NULL OR campaign.workspace_id = :workspace)
    ) AS running
""")  # noqa: S608  # our own text

_CAMPAIGNS = """
WITH ours AS MATERIALIZED (
    SELECT id, status, running_since FROM campaign
    WHERE status <> 'draft' AND (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace)
)
"""

_RELEASE = text(f"""
{_CAMPAIGNS}
SELECT
    (SELECT count(*) FROM (
        SELECT FROM ours CROSS JOIN LATERAL (
            SELECT FROM lead WHERE campaign_id = ours.id AND due_at <= now() ORDER BY due_at LIMIT :bound
        ) AS due WHERE ours.status = 'running' LIMIT :bound
    ) AS bounded) AS due,
    (SELECT extract(epoch FROM now() - min(greatest(due_at, running_since))) FROM ours CROSS JOIN LATERAL (
        SELECT due_at FROM lead WHERE campaign_id = ours.id AND due_at <= now() ORDER BY due_at LIMIT 1
    ) AS due WHERE ours.status = 'running') AS oldest,
    (SELECT count(*) FROM (
        SELECT FROM ours CROSS JOIN LATERAL (
            SELECT FROM lead WHERE campaign_id = ours.id AND due_at > now() ORDER BY due_at LIMIT :later_bound
        ) AS later LIMIT :later_bound
    ) AS bounded) AS later,
    (SELECT count(*) FROM (
        SELECT FROM ours CROSS JOIN LATERAL (
            SELECT FROM lead WHERE campaign_id = ours.id AND due_at <= now() ORDER BY due_at LIMIT :bound
        ) AS held WHERE ours.status = 'paused' LIMIT :bound
    ) AS bounded) AS held
""")  # noqa: S608  # our own text

# What is claimed lies at the front of its campaign's queue: a worker takes the oldest. What backs off is as old as it
# is: with the transport down for an hour nothing is due for most of the time, and all of it is late.
_DELIVER = text(f"""
{_CAMPAIGNS}
SELECT
    queued.due, queued.held,
    (SELECT extract(epoch FROM now() - min(greatest(first.created_at, running_since)))
        FROM ours CROSS JOIN LATERAL (
            SELECT created_at FROM send
            WHERE campaign_id BETWEEN ours.id AND ours.id AND send.status = 'queued'
                AND (held_until <= now() OR claim_token IS NULL)
            ORDER BY campaign_id, id LIMIT 1
        ) AS first WHERE ours.status = 'running') AS oldest,
    queued.claimed + (
        SELECT count(*) FROM send JOIN campaign ON campaign.id = send.campaign_id
        WHERE send.status = 'sending' AND (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace)
    ) AS running,
    (SELECT count(*) FROM (
        SELECT FROM send
        WHERE send.status = 'queued' AND send.last_error IS NOT NULL AND (CAST(:workspace AS bigint) IS NULL
            OR EXISTS (SELECT FROM campaign WHERE campaign.id = send.campaign_id AND workspace_id = :workspace))
        LIMIT :bound
    ) AS bounded) AS retrying
FROM (
    SELECT
        count(*) FILTER (WHERE running AND NOT put_off) AS due,
        count(*) FILTER (WHERE NOT running) AS held,
        count(*) FILTER (WHERE put_off AND claimed) AS claimed
    FROM (
        SELECT ours.status = 'running' AS running, waiting.* FROM ours
        CROSS JOIN LATERAL (
            SELECT held_until > now() AS put_off, claim_token IS NOT NULL AS claimed
            FROM send WHERE campaign_id = ours.id AND send.status = 'queued' LIMIT :bound
        ) AS waiting
        LIMIT :bound
    ) AS bounded
) AS queued
""")  # noqa: S608  # our own text

_PAUSES = text("SELECT stage, paused_at, paused_by, why FROM stage_pause ORDER BY paused_at")


def pauses(session: Session) -> list[Pause]:
    """List the stages that are paused, by whom and why."""
    return [Pause(*row) for row in rows(session, _PAUSES)]


def apply_now(session: Session, workspace: int | None) -> StageNow:
    """Look at accepted jobs."""
    found = one(session, _APPLY, workspace=workspace, bound=COUNTED_TO + 1, lanes=LANES >> 32)
    return StageNow("apply", found.due, _seconds(found.oldest), retrying=found.retrying, running=found.running)


def release_now(session: Session, workspace: int | None) -> StageNow:
    """Look at leads that are due."""
    bounds = {"bound": COUNTED_TO + 1, "later_bound": LATER_COUNTED_TO + 1}
    found = one(session, _RELEASE, workspace=workspace, **bounds)
    return StageNow("release", found.due, _seconds(found.oldest), later=found.later, held=found.held, running=None)


def deliver_now(session: Session, workspace: int | None) -> StageNow:
    """Look at queued sends."""
    found = one(session, _DELIVER, workspace=workspace, bound=COUNTED_TO + 1)
    return StageNow(
        "deliver",
        found.due,
        _seconds(found.oldest),
        retrying=found.retrying,
        held=found.held,
        running=found.running,
    )


def _seconds(value: Any) -> float | None:
    return None if value is None else max(float(value), 0.0)
