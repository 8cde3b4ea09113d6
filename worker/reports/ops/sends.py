"""Sends by filter: the unknown ones above all, which a person resolves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlmodel import Session

from domain.errors import CampaignNotFound
from domain.identifiers import public_id, row_key
from domain.operation import MAX_ITEMS, OperationKind
from domain.send import SendStatus
from worker.reports.ops.failures import Sort, messages_of
from worker.reports.ops.listing import Condition, Listing, Source, Where, listing, when
from worker.store.operating import Plan

Queue = Literal["due", "later", "held", "claimed"]
_QUEUED: dict[Queue, str] = {
    "due": "send.status = 'queued' AND send.held_until <= now() AND campaign.status = 'running'",
    "later": "send.status = 'queued' AND send.held_until > now() AND send.claim_token IS NULL"
    " AND campaign.status = 'running'",
    "held": "send.status = 'queued' AND campaign.status = 'paused'",
    "claimed": "(send.status = 'sending' OR send.status = 'queued' AND send.held_until > now()"
    " AND send.claim_token IS NOT NULL)",
}


@dataclass(frozen=True, slots=True)
class SendFilter:
    """Which sends. `queue`: which of the queued ones, as the first screen counts them. `numbers`: these very ones."""

    status: SendStatus | None = None
    queue: Queue | None = None
    campaign: str | None = None
    sort: Sort | None = None
    kind: str | None = None
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SendLine:
    """A send in a list."""

    id: str
    campaign_id: str
    campaign: str
    lead_id: str
    email: str
    step: int
    status: SendStatus
    attempts: int
    created_at: datetime
    finished_at: datetime | None
    last_error: str | None


_SOURCE = Source(
    select="send.created_at, send.status, send.attempts, send.step, send.finished_at, send.last_error, send.lead_id,"
    " send.campaign_id, campaign.created_at AS campaign_created_at, campaign.name, lead.email,"
    " lead.created_at AS lead_created_at",
    tables="send JOIN campaign ON campaign.id = send.campaign_id JOIN lead ON lead.id = send.lead_id",
    number="send.id",
)


def list_sends(
    session: Session, workspace: int | None, wanted: SendFilter, before: int | None = None
) -> Listing[SendLine]:
    """List sends, newest first."""
    return listing(session, _SOURCE, _where(session, workspace, wanted), _line, before)


def resolve_plan(
    session: Session, workspace: int | None, wanted: SendFilter, kind: OperationKind, described: str
) -> Plan:
    """Plan to resolve the unknown ones of these sends."""
    where = _where(session, workspace, wanted)
    chosen = f"""
        SELECT send.id, send.status = 'unknown' AS eligible,
            CASE send.status WHEN 'sent' THEN 'already sent' ELSE 'it is ' || send.status END AS reason
        FROM {_SOURCE.tables} WHERE {where.sql} ORDER BY send.id LIMIT {2 * MAX_ITEMS}
    """  # noqa: S608  # our own text
    return Plan(kind, described, chosen, where.parameters)


def _where(session: Session, workspace: int | None, wanted: SendFilter) -> Where:
    return Where.all_of(
        when(workspace is not None, "campaign.workspace_id = :workspace", workspace=workspace),
        when(wanted.status, "send.status = :status", status=wanted.status),
        when(wanted.queue, _QUEUED.get(wanted.queue or "due", "")),
        when(wanted.campaign, "send.campaign_id = :campaign", campaign=_campaign(wanted.campaign)),
        when(wanted.numbers, "send.id = ANY(:numbers)", numbers=list(wanted.numbers)),
        _of_kind(session, workspace, wanted),
    )


def _of_kind(session: Session, workspace: int | None, wanted: SendFilter) -> Condition | None:
    if not wanted.kind or wanted.sort not in {"failedSends", "unknownSends"}:
        return None
    messages = messages_of(session, wanted.sort, wanted.kind, workspace)
    return "coalesce(send.last_error, '') = ANY(:messages)", {"messages": [message or "" for message in messages]}


def _campaign(campaign_id: str | None) -> int | None:
    key = row_key("camp", campaign_id) if campaign_id else None
    if key is None and campaign_id:
        raise CampaignNotFound(campaign_id=campaign_id)
    return key and key.number


def _line(row: Any) -> SendLine:
    return SendLine(
        id=public_id("send", row.number, row.created_at),
        campaign_id=public_id("camp", row.campaign_id, row.campaign_created_at),
        campaign=row.name,
        lead_id=public_id("lead", row.lead_id, row.lead_created_at),
        email=row.email,
        step=row.step,
        status=row.status,
        attempts=row.attempts,
        created_at=row.created_at,
        finished_at=row.finished_at,
        last_error=row.last_error,
    )
