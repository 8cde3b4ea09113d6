"""Campaigns, and the line of one that must add up: every enrollment is in exactly one place."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import text
from sqlmodel import Session

from domain.campaign import CampaignStatus
from domain.errors import CampaignNotFound
from domain.identifiers import public_id, row_key
from worker.reports.ops.listing import Listing, Source, Where, listing, when
from worker.reports.ops.snapshot import COUNTED_TO, LATER_COUNTED_TO, one, rows

_CAMPAIGNS = Source(
    select="campaign.created_at, campaign.name, campaign.status, campaign.started_at, campaign.paused_at,"
    " jsonb_array_length(campaign.sequence_steps) AS steps, workspace.name AS workspace",
    tables="campaign JOIN workspace ON workspace.id = campaign.workspace_id",
    number="campaign.id",
)

# Where a lead is, by its own row and the send of the step it stands at. What is `unaccounted` is nowhere: it must be 0.
_OPEN_SEND = "EXISTS (SELECT FROM send WHERE send.lead_id = lead.id AND send.step = lead.position AND {status})"
_ON_ITS_WAY = "lead.status = 'active' AND lead.due_at IS NULL"
PLACES: dict[str, str] = {
    "held": "lead.due_at <= now() AND campaign.status <> 'running'",
    "due": "lead.due_at <= now() AND campaign.status = 'running'",
    "scheduled": "lead.due_at > now()",
    "inFlight": f"{_ON_ITS_WAY} AND " + _OPEN_SEND.format(status="send.status IN ('queued', 'sending')"),
    "settling": f"{_ON_ITS_WAY} AND "
    + _OPEN_SEND.format(status="send.status IN ('sent', 'failed') AND NOT send.settled"),
    "unknown": f"{_ON_ITS_WAY} AND " + _OPEN_SEND.format(status="send.status = 'unknown'"),
    "completed": "lead.status = 'completed'",
    "failed": "lead.status = 'stopped' AND lead.stop_reason = 'failed'",
    "stopped": "lead.status = 'stopped' AND lead.stop_reason IS DISTINCT FROM 'failed'",
}
PLACES["unaccounted"] = " AND ".join(f"({condition}) IS NOT TRUE" for condition in PLACES.values())

WaitingPlace = Literal["due", "scheduled", "paused"]
_WAITING: dict[WaitingPlace, str] = {
    "due": PLACES["due"],
    "scheduled": PLACES["scheduled"],
    "paused": "lead.due_at <= now() AND campaign.status = 'paused'",
}

_LEADS = Source(
    select="lead.created_at, lead.email, lead.first_name, lead.company, lead.status, lead.position, lead.due_at,"
    " lead.stop_reason, lead.campaign_id, campaign.name, campaign.created_at AS campaign_created_at",
    tables="lead JOIN campaign ON campaign.id = lead.campaign_id",
    number="lead.id",
)

_FOUND = text("""
SELECT campaign.id, campaign.created_at, campaign.name, campaign.status, campaign.started_at, campaign.paused_at,
    campaign.sequence_steps, workspace.name AS workspace, workspace.id AS workspace_id
FROM campaign JOIN workspace ON workspace.id = campaign.workspace_id
WHERE campaign.id = :number AND (CAST(:workspace AS bigint) IS NULL OR workspace.id = :workspace)
""")
_LINE = text(f"""
SELECT count(*) AS enrolled, {", ".join(f'count(*) FILTER (WHERE {sql}) AS "{name}"' for name, sql in PLACES.items())},
    coalesce(sum(lead.position), 0) AS released, min(lead.due_at) FILTER (WHERE lead.due_at > now()) AS next_due
FROM lead JOIN campaign ON campaign.id = lead.campaign_id WHERE lead.campaign_id = :number
""")  # noqa: S608  # our own text


@dataclass(frozen=True, slots=True)
class CampaignLine:
    """A campaign in a list."""

    id: str
    name: str
    workspace: str
    status: CampaignStatus
    steps: int
    created_at: datetime
    started_at: datetime | None
    paused_at: datetime | None


@dataclass(frozen=True, slots=True)
class CampaignFound:
    """A campaign, without what takes long to count."""

    number: int
    id: str
    name: str
    workspace: str
    workspace_number: int
    status: CampaignStatus
    steps: list[dict[str, Any]]
    created_at: datetime
    started_at: datetime | None
    paused_at: datetime | None


@dataclass(frozen=True, slots=True)
class Sum:
    """Where the enrollments of a campaign are: `enrolled` is the sum of the places."""

    enrolled: int
    places: dict[str, int]
    released: int
    next_due: datetime | None

    @property
    def finished(self) -> bool:
        """Whether everybody is through and nobody failed."""
        return bool(self.enrolled) and self.enrolled == self.places["completed"] + self.places["stopped"]


@dataclass(frozen=True, slots=True)
class LeadLine:
    """A lead in a list: personal, to be masked."""

    id: str
    campaign_id: str
    campaign: str
    email: str
    first_name: str | None
    company: str | None
    status: str
    position: int
    due_at: datetime | None
    stop_reason: str | None


def list_campaigns(
    session: Session, workspace: int | None, status: CampaignStatus | None, before: int | None = None
) -> Listing[CampaignLine]:
    """List campaigns, newest first."""
    where = Where.all_of(
        when(workspace is not None, "campaign.workspace_id = :workspace", workspace=workspace),
        when(status, "campaign.status = :status", status=status),
    )
    return listing(session, _CAMPAIGNS, where, _campaign_line, before)


def find_campaign(session: Session, campaign_id: str, workspace: int | None) -> CampaignFound:
    """Read one; `CampaignNotFound` where the workspace has none of this id."""
    key = row_key("camp", campaign_id)
    found = rows(session, _FOUND, number=key.number, workspace=workspace) if key else []
    if not found or public_id("camp", found[0].id, found[0].created_at) != campaign_id.lower():
        raise CampaignNotFound(campaign_id=campaign_id)
    row = found[0]
    return CampaignFound(
        number=row.id,
        id=campaign_id.lower(),
        name=row.name,
        workspace=row.workspace,
        workspace_number=row.workspace_id,
        status=row.status,
        steps=row.sequence_steps,
        created_at=row.created_at,
        started_at=row.started_at,
        paused_at=row.paused_at,
    )


def add_up(session: Session, number: int) -> Sum:
    """Count where the enrollments of a campaign are."""
    row = one(session, _LINE, number=number)
    places = {name: int(getattr(row, name)) for name in PLACES}
    return Sum(row.enrolled, places, int(row.released), row.next_due)


def list_leads(session: Session, number: int, place: str | None, before: int | None = None) -> Listing[LeadLine]:
    """List the leads of a campaign that are at a place."""
    where = Where.all_of(
        when(number, "lead.campaign_id = :number", number=number),
        when(place in PLACES, PLACES.get(place or "", "")),
    )
    return listing(session, _LEADS, where, _lead_line, before)


def list_waiting_leads(
    session: Session, workspace: int | None, place: WaitingPlace, before: int | None = None
) -> Listing[LeadLine]:
    """List the leads of all campaigns that wait to be released, as the first screen counts them."""
    where = Where.all_of(
        (_WAITING[place], {}),
        when(workspace is not None, "campaign.workspace_id = :workspace", workspace=workspace),
    )
    bound = LATER_COUNTED_TO if place == "scheduled" else COUNTED_TO
    return listing(session, _LEADS, where, _lead_line, before, bound)


def _campaign_line(row: Any) -> CampaignLine:
    return CampaignLine(
        id=public_id("camp", row.number, row.created_at),
        name=row.name,
        workspace=row.workspace,
        status=row.status,
        steps=row.steps,
        created_at=row.created_at,
        started_at=row.started_at,
        paused_at=row.paused_at,
    )


def _lead_line(row: Any) -> LeadLine:
    return LeadLine(
        id=public_id("lead", row.number, row.created_at),
        campaign_id=public_id("camp", row.campaign_id, row.campaign_created_at),
        campaign=row.name,
        email=row.email,
        first_name=row.first_name,
        company=row.company,
        status=row.status,
        position=row.position,
        due_at=row.due_at,
        stop_reason=row.stop_reason,
    )
