"""What the sweep looks for: campaigns with work that nobody may have been nudged about."""

from sqlalchemy import text
from sqlmodel import Session

from worker.store.campaigns import CampaignKey

_LANES_WITH_JOBS = text("""
SELECT id, created_at FROM campaign
WHERE id IN (SELECT campaign_id FROM job WHERE status = 'accepted')
""")

_CAMPAIGNS_WITH_DUE_LEADS = text("""
SELECT id, created_at FROM campaign
WHERE status = 'running' AND EXISTS (
    SELECT FROM lead WHERE lead.campaign_id = campaign.id AND due_at <= now()
)
""")

_CAMPAIGNS_WITH_UNSETTLED_SENDS = text("""
SELECT id, created_at FROM campaign
WHERE id IN (SELECT campaign_id FROM send WHERE status IN ('sent', 'failed') AND NOT settled)
""")

_SENDS_ARE_WAITING = text("""
SELECT EXISTS (
    SELECT FROM campaign
    WHERE status = 'running' AND EXISTS (
        SELECT FROM send
        WHERE send.campaign_id = campaign.id AND status = 'queued' AND held_until <= now()
    )
)
""")


def lanes_with_jobs(session: Session) -> list[CampaignKey]:
    """List campaigns with accepted jobs."""
    return [CampaignKey.of_row(*row) for row in session.connection().execute(_LANES_WITH_JOBS)]


def campaigns_to_release(session: Session) -> list[CampaignKey]:
    """List running campaigns with leads that are due, and campaigns with finished sends to take note of."""
    due = session.connection().execute(_CAMPAIGNS_WITH_DUE_LEADS).all()
    unsettled = session.connection().execute(_CAMPAIGNS_WITH_UNSETTLED_SENDS).all()
    return [CampaignKey.of_row(*row) for row in {*due, *unsettled}]


def sends_are_waiting(session: Session) -> bool:
    """Tell whether a running campaign has sends that may be claimed."""
    return bool(session.connection().execute(_SENDS_ARE_WAITING).scalar_one())
