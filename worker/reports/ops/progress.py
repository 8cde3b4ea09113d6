"""How far a campaign is, from what was counted in its lane: as quick for a million leads as for one."""

from dataclasses import replace
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from domain.progress import Progress
from worker.reports.ops.rates import WINDOW_MINUTES
from worker.reports.ops.snapshot import one

WAITING_COUNTED_TO = 2_000

COUNTED = """
    SELECT
        coalesce(sum(enrolled), 0) AS enrolled, coalesce(sum(released), 0) AS released,
        coalesce(sum(sent), 0) AS sent, coalesce(sum(failed), 0) AS failed, coalesce(sum(given_up), 0) AS given_up,
        coalesce(sum(sent + failed) FILTER (WHERE minute >= begun.at), 0)
            * 60 / (extract(epoch FROM now() - begun.at)) AS per_minute,
        max(released_at) AS last_released_at
    FROM (SELECT date_trunc('minute', now()) - (:minutes - 1) * interval '1 minute' AS at) AS begun
    LEFT JOIN campaign_minute ON campaign_minute.campaign_id = {campaign}
    GROUP BY begun.at
"""
"""What was counted of a campaign. The window begins with a full minute, as that of the stages."""

_PROGRESS = text(f"""
SELECT counted.*, jsonb_array_length(campaign.sequence_steps) AS steps, campaign.status = 'running' AS runs,
    (SELECT count(*) FROM (
        SELECT FROM lead WHERE campaign_id = campaign.id AND due_at <= now() ORDER BY due_at LIMIT :bound
    ) AS few) AS due,
    (SELECT extract(epoch FROM now() - greatest(due_at, running_since)) FROM lead
        WHERE campaign_id = campaign.id AND due_at <= now() ORDER BY due_at LIMIT 1) AS oldest
FROM campaign CROSS JOIN LATERAL ({COUNTED.format(campaign="campaign.id")}) AS counted WHERE campaign.id = :number
""")  # noqa: S608  # our own text


def parameters() -> dict[str, int]:
    """Give what `COUNTED` and whoever counts waiting leads ask for."""
    return {"minutes": WINDOW_MINUTES, "bound": WAITING_COUNTED_TO + 1}


def progress_of(row: Any) -> Progress:
    """Read how far a campaign is."""
    return Progress(
        enrolled=int(row.enrolled),
        steps=row.steps,
        released=int(row.released),
        sent=int(row.sent),
        failed=int(row.failed),
        given_up=int(row.given_up),
        waiting=row.due if row.due <= WAITING_COUNTED_TO else None,
        per_minute=float(row.per_minute),
        runs=row.runs,
        last_released_at=row.last_released_at,
    )


def read_progress(session: Session, number: int) -> Progress:
    """Tell how far a campaign is."""
    row = one(session, _PROGRESS, number=number, **parameters())
    oldest = None if row.oldest is None else max(float(row.oldest), 0.0)
    return replace(progress_of(row), oldest_seconds=oldest)
