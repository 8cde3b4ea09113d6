"""Campaigns that have work now, the one that waits longest first."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from domain.campaign import CampaignStatus
from domain.identifiers import public_id
from worker.reports.ops.snapshot import rows

SHOWN = 8
COUNTED_TO = 2_000

_IN_FLIGHT = text("""
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
SELECT id, created_at, name, status, since,
    (SELECT count(*) FROM (SELECT FROM job
        WHERE campaign_id = waiting.id AND job.status = 'accepted' LIMIT :bound) AS few) AS jobs,
    (SELECT count(*) FROM (SELECT FROM lead
        WHERE campaign_id = waiting.id AND due_at <= now() LIMIT :bound) AS few) AS due,
    (SELECT count(*) FROM (SELECT FROM send
        WHERE campaign_id = waiting.id AND send.status = 'queued' LIMIT :bound) AS few) AS queued
FROM waiting ORDER BY since
""")


@dataclass(frozen=True, slots=True)
class InFlight:
    """A campaign with work. Counts go to `COUNTED_TO`."""

    id: str
    name: str
    status: CampaignStatus
    since: datetime
    jobs: int
    due: int
    queued: int


def in_flight(session: Session, workspace: int | None) -> list[InFlight]:
    """List campaigns that have work."""
    found = rows(session, _IN_FLIGHT, workspace=workspace, shown=SHOWN, bound=COUNTED_TO + 1)
    return [
        InFlight(
            public_id("camp", row.id, row.created_at), row.name, row.status, row.since, row.jobs, row.due, row.queued
        )
        for row in found
    ]
