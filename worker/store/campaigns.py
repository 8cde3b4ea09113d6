"""Campaigns: found by their public id, created, started, paused."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, text
from sqlmodel import Session, col, select

from domain import campaign as life_cycle
from domain.errors import CampaignNotFound
from domain.identifiers import public_id, row_key
from domain.sequence import SequenceStep
from worker import nudges
from worker.store.connection import after_commit, transaction
from worker.store.tables import Campaign
from worker.store.workspaces import find_workspace


class CampaignKey(NamedTuple):
    """A campaign by its number in the store and its public id."""

    number: int
    public_id: str

    @classmethod
    def of_row(cls, number: int, created_at: datetime) -> "CampaignKey":
        """Make the key of a campaign row."""
        return cls(number, public_id("camp", number, created_at))


_HAS_LEADS = text(
    "SELECT EXISTS (SELECT FROM lead WHERE campaign_id = :campaign)"
    " OR EXISTS (SELECT FROM job WHERE campaign_id = :campaign AND status = 'accepted')"
)


def create_campaign(workspace: str, name: str, steps: Sequence[SequenceStep]) -> Campaign:
    """Create a draft in the workspace of that name."""
    with transaction() as session:
        campaign = Campaign(
            workspace_number=find_workspace(session, workspace).number,
            name=name,
            sequence_steps=[step.model_dump(by_alias=True) for step in steps],
        )
        session.add(campaign)
        session.flush()
        session.refresh(campaign)
    return campaign


def start_campaign(campaign_id: str) -> Campaign:
    """Start a draft or resume what is paused; everyone due is released right after."""
    with transaction() as session:
        campaign = lock_campaign(session, campaign_id)
        started = life_cycle.start(
            campaign.status,
            has_steps=bool(campaign.sequence_steps),
            has_leads=bool(session.connection().execute(_HAS_LEADS, {"campaign": campaign.number}).scalar_one()),
        )
        if campaign.status != started:
            campaign.status = started
            campaign.started_at = campaign.started_at or _now(session)
        after_commit(session, lambda: nudges.release(campaign.public_id))
        after_commit(session, nudges.deliver)
    return campaign


def pause_campaign(campaign_id: str) -> Campaign:
    """Pause what runs: nothing more is released, queued sends are held."""
    with transaction() as session:
        campaign = lock_campaign(session, campaign_id)
        paused = life_cycle.pause(campaign.status)
        if campaign.status != paused:
            campaign.status = paused
            campaign.paused_at = _now(session)
    return campaign


def find_campaign(session: Session, campaign_id: str) -> Campaign:
    """Read a campaign by its public id."""
    return _find(session, campaign_id, lock=False)


def lock_campaign(session: Session, campaign_id: str) -> Campaign:
    """Read a campaign for changing it: a release under way ends first, the next one sees the change."""
    return _find(session, campaign_id, lock=True)


def _find(session: Session, campaign_id: str, *, lock: bool) -> Campaign:
    key = row_key("camp", campaign_id)
    if key is None:
        raise CampaignNotFound(campaign_id=campaign_id)
    query = select(Campaign).where(
        col(Campaign.number) == key.number,
        func.date_trunc("milliseconds", col(Campaign.created_at)) == key.created_at,
    )
    found = session.exec(query.with_for_update() if lock else query).one_or_none()
    if found is None:
        raise CampaignNotFound(campaign_id=campaign_id)
    return found


def _now(session: Session) -> datetime:
    return session.connection().execute(text("SELECT now()")).scalar_one()
