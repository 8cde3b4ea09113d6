"""Campaigns: found by their public id, created, started, paused."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlmodel import Session

from domain import campaign as life_cycle
from domain.errors import CampaignNotFound
from domain.identifiers import public_id, row_key
from domain.sequence import SequenceStep
from worker import nudges
from worker.store import auditing
from worker.store.auditing import COMMAND_LINE, Deed
from worker.store.connection import after_commit, transaction
from worker.store.finding import find
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


def create_campaign(workspace: str | int, name: str, steps: Sequence[SequenceStep]) -> Campaign:
    """Create a draft in a workspace, given by name or number."""
    with transaction() as session:
        owner = workspace if isinstance(workspace, int) else find_workspace(session, workspace).number
        campaign = Campaign(workspace_number=owner, name=name, sequence_steps=_as_stored(steps))
        session.add(campaign)
        session.flush()
        session.refresh(campaign)
    return campaign


def change_campaign(
    campaign_id: str, name: str | None, steps: Sequence[SequenceStep] | None, workspace: int | None = None
) -> Campaign:
    """Change the name or the steps of a draft; None leaves them as they are."""
    with transaction() as session:
        campaign = lock_campaign(session, campaign_id, workspace)
        life_cycle.require_draft(campaign.status)
        campaign.name = campaign.name if name is None else name
        campaign.sequence_steps = campaign.sequence_steps if steps is None else _as_stored(steps)
    return campaign


def start_campaign(campaign_id: str, workspace: int | None = None, who: str = COMMAND_LINE) -> Campaign:
    """Start a draft or resume what is paused; everyone due is released right after."""
    return _change_status("campaign.start", start, campaign_id, workspace, who)


def start(session: Session, campaign: Campaign) -> None:
    """Start a locked campaign as part of the caller's transaction."""
    started = life_cycle.start(
        campaign.status,
        has_steps=bool(campaign.sequence_steps),
        has_leads=bool(session.connection().execute(_HAS_LEADS, {"campaign": campaign.number}).scalar_one()),
    )
    if campaign.status != started:
        campaign.status = started
        campaign.running_since = _now(session)
        campaign.started_at = campaign.started_at or campaign.running_since
    after_commit(session, nudges.release, campaign.public_id)
    after_commit(session, nudges.deliver)


def pause_campaign(campaign_id: str, workspace: int | None = None, who: str = COMMAND_LINE) -> Campaign:
    """Pause what runs: nothing more is released, queued sends are held."""
    return _change_status("campaign.pause", pause, campaign_id, workspace, who)


def pause(session: Session, campaign: Campaign) -> None:
    """Pause a locked campaign as part of the caller's transaction."""
    paused = life_cycle.pause(campaign.status)
    if campaign.status != paused:
        campaign.status = paused
        campaign.paused_at = _now(session)


def find_campaign(session: Session, campaign_id: str, workspace: int | None = None) -> Campaign:
    """Read a campaign by its public id; one of another workspace does not exist (None: all do)."""
    return _found(find(session, Campaign, row_key("camp", campaign_id), workspace=workspace), campaign_id)


def lock_campaign(session: Session, campaign_id: str, workspace: int | None = None) -> Campaign:
    """Read a campaign for changing it: a release under way ends first, the next one sees the change."""
    return _found(find(session, Campaign, row_key("camp", campaign_id), workspace=workspace, lock=True), campaign_id)


def _change_status(
    action: str, change: Callable[[Session, Campaign], None], campaign_id: str, workspace: int | None, who: str
) -> Campaign:
    """Do it and write who did it, in one transaction. What changes nothing is not written: programs repeat calls."""
    with transaction() as session:
        campaign = lock_campaign(session, campaign_id, workspace)
        before = campaign.status
        change(session, campaign)
        if campaign.status != before:
            deed = Deed(campaign.workspace_number, action, campaign.public_id, before=before, after=campaign.status)
            auditing.write(session, who, deed)
    return campaign


def _as_stored(steps: Sequence[SequenceStep]) -> list[dict[str, object]]:
    return [step.model_dump(by_alias=True) for step in steps]


def _found(campaign: Campaign | None, campaign_id: str) -> Campaign:
    if campaign is None:
        raise CampaignNotFound(campaign_id=campaign_id)
    return campaign


def _now(session: Session) -> datetime:
    return session.connection().execute(text("SELECT now()")).scalar_one()
