"""Campaigns as people see them: their sequence, and how far their leads and sends are."""

from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from domain.campaign import CampaignStatus
from worker.reports.shapes import Shape, Time
from worker.store.campaigns import find_campaign
from worker.store.connection import transaction
from worker.store.tables import Campaign


class CampaignReport(Shape):
    """A campaign with its steps."""

    id: str
    name: str
    status: CampaignStatus
    sequence_steps: list[dict[str, Any]]
    created_at: Time
    started_at: Time | None
    paused_at: Time | None

    @classmethod
    def of(cls, campaign: Campaign) -> "CampaignReport":
        """Show a campaign."""
        return cls(
            id=campaign.public_id,
            name=campaign.name,
            status=campaign.status,
            sequence_steps=campaign.sequence_steps,
            created_at=campaign.created_at,
            started_at=campaign.started_at,
            paused_at=campaign.paused_at,
        )


class CampaignStats(Shape):
    """Where the leads and the sends of a campaign are.

    Leads: `total_enrolled` = waiting + active + completed + stopped. Sends: `queued` are those that have not left,
    the ones in progress among them.
    """

    campaign_id: str
    total_enrolled: int
    waiting: int
    active: int
    completed: int
    stopped: int
    queued: int
    sent: int
    failed: int
    unknown: int
    delivered: int = 0
    bounced: int = 0
    replied: int = 0


class CampaignWithStats(CampaignReport):
    """A campaign with its stats."""

    stats: CampaignStats


_LEADS = text("""
SELECT
    count(*) AS total_enrolled,
    count(*) FILTER (WHERE status = 'waiting') AS waiting,
    count(*) FILTER (WHERE status = 'active') AS active,
    count(*) FILTER (WHERE status = 'completed') AS completed,
    count(*) FILTER (WHERE status = 'stopped') AS stopped
FROM lead WHERE campaign_id = :campaign
""")

_SENDS = text("""
SELECT
    count(*) FILTER (WHERE status IN ('queued', 'sending')) AS queued,
    count(*) FILTER (WHERE status = 'sent') AS sent,
    count(*) FILTER (WHERE status = 'failed') AS failed,
    count(*) FILTER (WHERE status = 'unknown') AS unknown
FROM send WHERE campaign_id = :campaign
""")


def list_campaigns(limit: int, workspace: int | None = None, before: int | None = None) -> list[CampaignReport]:
    """List campaigns of a workspace (None: of all), newest first; `before`: only those with a smaller number."""
    query = select(Campaign).order_by(col(Campaign.number).desc()).limit(limit)
    if workspace is not None:
        query = query.where(col(Campaign.workspace_number) == workspace)
    if before is not None:
        query = query.where(col(Campaign.number) < before)
    with transaction() as session:
        return [CampaignReport.of(campaign) for campaign in session.exec(query)]


def show_campaign(campaign_id: str, workspace: int | None = None) -> CampaignReport:
    """Read a campaign without counting anything; `CampaignNotFound` as below."""
    with transaction() as session:
        return CampaignReport.of(find_campaign(session, campaign_id, workspace))


def read_campaign(campaign_id: str, workspace: int | None = None) -> CampaignWithStats:
    """Read a campaign with its stats; `CampaignNotFound` when there is none of this id, in this workspace."""
    with transaction() as session:
        campaign = find_campaign(session, campaign_id, workspace)
        shown = CampaignReport.of(campaign)
        return CampaignWithStats(**dict(shown), stats=_stats(session, campaign))


def _stats(session: Session, campaign: Campaign) -> CampaignStats:
    which = {"campaign": campaign.number}
    leads = session.connection().execute(_LEADS, which).mappings().one()
    sends = session.connection().execute(_SENDS, which).mappings().one()
    return CampaignStats(campaign_id=campaign.public_id, **leads, **sends)
