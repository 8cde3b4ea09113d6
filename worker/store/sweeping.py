"""What the sweep looks for: campaigns with work that nobody may have been nudged about."""

from sqlalchemy import text
from sqlmodel import Session

from worker.store.campaigns import CampaignKey
from worker.store.lookups import only_by_index

# One look into an index for each campaign. `id IN (SELECT …)` and EXISTS left the planner to choose: for each campaign
# it read every lead there is after `lead` was taken for one row, 30 s at a million.
_LANES_WITH_JOBS = text("""
SELECT campaign.id, campaign.created_at FROM campaign
CROSS JOIN LATERAL (SELECT FROM job WHERE campaign_id = campaign.id AND status = 'accepted' LIMIT 1) AS waiting
""")

_CAMPAIGNS_WITH_DUE_LEADS = text("""
SELECT campaign.id, campaign.created_at FROM campaign
CROSS JOIN LATERAL (
    SELECT FROM lead WHERE campaign_id = campaign.id AND due_at <= now() ORDER BY due_at LIMIT 1
) AS due
WHERE status = 'running'
""")

_CAMPAIGNS_WITH_UNSETTLED_SENDS = text("""
SELECT campaign.id, campaign.created_at FROM campaign
CROSS JOIN LATERAL (
    SELECT FROM send
    WHERE campaign_id = campaign.id AND status IN ('sent', 'failed') AND NOT settled
    LIMIT 1
) AS unsettled
""")

_SENDS_ARE_WAITING = text("""
SELECT EXISTS (
    SELECT FROM campaign
    CROSS JOIN LATERAL (
        SELECT FROM send
        WHERE campaign_id = campaign.id AND send.status = 'queued' AND held_until <= now()
        LIMIT 1
    ) AS waiting
    WHERE campaign.status = 'running'
)
""")


def lanes_with_jobs(session: Session) -> list[CampaignKey]:
    """List campaigns with accepted jobs."""
    only_by_index(session)
    return [CampaignKey.of_row(*row) for row in session.connection().execute(_LANES_WITH_JOBS)]


def campaigns_to_release(session: Session) -> list[CampaignKey]:
    """List running campaigns with leads that are due, and campaigns with finished sends to take note of."""
    only_by_index(session)
    due = session.connection().execute(_CAMPAIGNS_WITH_DUE_LEADS).all()
    unsettled = session.connection().execute(_CAMPAIGNS_WITH_UNSETTLED_SENDS).all()
    return [CampaignKey.of_row(*row) for row in {*due, *unsettled}]


def sends_are_waiting(session: Session) -> bool:
    """Tell whether a running campaign has sends that may be claimed."""
    only_by_index(session)
    return bool(session.connection().execute(_SENDS_ARE_WAITING).scalar_one())
