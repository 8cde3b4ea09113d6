"""Campaigns: create, look at, change, start, pause."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from domain.campaign import CampaignStatus
from domain.sequence import MAX_SEQUENCE_STEPS, SequenceStep
from worker.reports.campaigns import CampaignReport, CampaignStats, list_campaigns, read_campaign, show_campaign
from worker.reports.shapes import Shape, Time
from worker.store import campaigns
from worker.web.body import demand_plain_json
from worker.web.caller import CampaignsStarter, CampaignsWriter, Reader
from worker.web.openapi import failures
from worker.web.paging import DEFAULT_LIMIT, Cursor, Limit, number_of, page
from worker.web.shapes import Data, Page

router = APIRouter(prefix="/campaigns", tags=["Campaigns"])

MAX_NAME_CHARACTERS = 200
Name = Annotated[
    str,
    Field(
        min_length=1, max_length=MAX_NAME_CHARACTERS, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
    ),
]
Steps = Annotated[list[SequenceStep], Field(max_length=MAX_SEQUENCE_STEPS)]
_JSON = [Depends(demand_plain_json)]


class _Input(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class CampaignInput(_Input):
    """A campaign to be made."""

    name: Name = Field(examples=["Autumn"])
    sequence_steps: Steps = []


class CampaignChange(_Input):
    """What to change of a draft; what is absent stays."""

    name: Name | None = None
    sequence_steps: Steps | None = None


class Started(Shape):
    """A campaign after its start."""

    id: str
    status: CampaignStatus
    started_at: Time | None


class Paused(Shape):
    """A campaign after it was to pause."""

    id: str
    status: CampaignStatus
    paused_at: Time | None


@router.post("", status_code=201, dependencies=_JSON, responses=failures(400, 413, 415))
def create(given: CampaignInput, key: CampaignsWriter) -> Data[CampaignReport]:
    """Create a campaign as a draft: nothing leaves before it is started."""
    made = campaigns.create_campaign(key.workspace, given.name, given.sequence_steps)
    return Data(data=CampaignReport.of(made))


@router.get("", responses=failures(400))
def list_(key: Reader, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[CampaignReport]:
    """List the campaigns, newest first."""
    found = list_campaigns(limit + 1, key.workspace, number_of(cursor, "camp"))
    return page(found, limit, lambda campaign: campaign.id)


@router.get("/{campaign_id}", responses=failures(404))
def show(campaign_id: str, key: Reader) -> Data[CampaignReport]:
    """Show a campaign."""
    return Data(data=show_campaign(campaign_id, key.workspace))


@router.patch("/{campaign_id}", dependencies=_JSON, responses=failures(400, 404, 409, 413, 415))
def change(campaign_id: str, given: CampaignChange, key: CampaignsWriter) -> Data[CampaignReport]:
    """Change name and steps while the campaign is a draft."""
    changed = campaigns.change_campaign(campaign_id, given.name, given.sequence_steps, key.workspace)
    return Data(data=CampaignReport.of(changed))


@router.post("/{campaign_id}/start", responses=failures(400, 404))
def start(campaign_id: str, key: CampaignsStarter) -> Data[Started]:
    """Start a draft, or resume what is paused: everyone who is due gets a message. Again: nothing changes."""
    campaign = campaigns.start_campaign(campaign_id, key.workspace, key.who)
    return Data(data=Started(id=campaign.public_id, status=campaign.status, started_at=campaign.started_at))


@router.post("/{campaign_id}/pause", responses=failures(404))
def pause(campaign_id: str, key: CampaignsStarter) -> Data[Paused]:
    """Pause what runs: at most the messages in progress still leave. A draft stays a draft."""
    campaign = campaigns.pause_campaign(campaign_id, key.workspace, key.who)
    return Data(data=Paused(id=campaign.public_id, status=campaign.status, paused_at=campaign.paused_at))


@router.get("/{campaign_id}/stats", responses=failures(404))
def stats(campaign_id: str, key: Reader) -> Data[CampaignStats]:
    """Count where the leads and the sends of a campaign are."""
    return Data(data=read_campaign(campaign_id, key.workspace).stats)
