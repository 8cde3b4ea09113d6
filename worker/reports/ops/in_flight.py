"""Campaigns that have work now, the one that waits longest first: how far each is, how fast, and who paused it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from domain.campaign import CampaignStatus
from domain.identifiers import public_id
from domain.progress import Progress
from worker.reports.ops.audit import AuditLine, last_pauses
from worker.reports.ops.progress import COUNTED, WAITING_COUNTED_TO, parameters, progress_of
from worker.reports.ops.snapshot import rows

SHOWN = 8
COUNTED_TO = WAITING_COUNTED_TO

_IN_FLIGHT = text(f"""
WITH waiting AS (
    SELECT campaign.*, oldest.since FROM campaign
    CROSS JOIN LATERAL (
        SELECT least(
            (SELECT created_at FROM job
                WHERE campaign_id BETWEEN campaign.id AND campaign.id AND status = 'accepted'
                ORDER BY campaign_id, id LIMIT 1),
            (SELECT greatest(due_at, running_since) FROM lead
                WHERE campaign_id = campaign.id AND due_at <= now() AND campaign.status = 'running'
                ORDER BY due_at LIMIT 1),
            (SELECT created_at FROM send
                WHERE campaign_id BETWEEN campaign.id AND campaign.id AND send.status = 'queued'
                    AND campaign.status <> 'draft'
                ORDER BY campaign_id, id LIMIT 1)
        ) AS since
    ) AS oldest
    WHERE oldest.since IS NOT NULL AND (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace)
    ORDER BY oldest.since LIMIT :shown
)
SELECT id, created_at, name, status, since, paused_at, counted.*,
    jsonb_array_length(sequence_steps) AS steps, status = 'running' AS runs,
    (SELECT count(*) FROM (SELECT FROM job
        WHERE campaign_id = waiting.id AND job.status = 'accepted' LIMIT :bound) AS few) AS jobs,
    (SELECT count(*) FROM (SELECT FROM lead
        WHERE campaign_id = waiting.id AND due_at <= now() ORDER BY due_at LIMIT :bound) AS few) AS due,
    (SELECT count(*) FROM (SELECT FROM send
        WHERE campaign_id = waiting.id AND send.status = 'queued' LIMIT :bound) AS few) AS queued
FROM waiting CROSS JOIN LATERAL ({COUNTED.format(campaign="waiting.id")}) AS counted ORDER BY since
""")  # noqa: S608  # our own text


@dataclass(frozen=True, slots=True)
class InFlight:
    """A campaign with work. Counts go to `COUNTED_TO`. `pause`: who paused it, where it is paused and that is known."""

    id: str
    name: str
    status: CampaignStatus
    since: datetime
    paused_at: datetime | None
    jobs: int
    due: int
    queued: int
    progress: Progress
    pause: AuditLine | None


def in_flight(session: Session, workspace: int | None) -> list[InFlight]:
    """List campaigns that have work."""
    found = rows(session, _IN_FLIGHT, workspace=workspace, shown=SHOWN, **parameters())
    pauses = last_pauses(session, [public_id("camp", row.id, row.created_at) for row in found])
    return [_in_flight(row, pauses) for row in found]


def _in_flight(row: Any, pauses: Mapping[str, AuditLine]) -> InFlight:
    campaign_id = public_id("camp", row.id, row.created_at)
    return InFlight(
        id=campaign_id,
        name=row.name,
        status=row.status,
        since=row.since,
        paused_at=row.paused_at,
        jobs=row.jobs,
        due=row.due,
        queued=row.queued,
        progress=progress_of(row),
        pause=pauses.get(campaign_id) if row.status == "paused" else None,
    )
