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
from worker.reports.ops.listing import Condition, Listing, Source, Where, count, listing, of_class, when
from worker.store.lookups import only_by_index
from worker.store.operating import Plan

Queue = Literal["due", "retrying", "held", "claimed"]
_QUEUED: dict[Queue, str] = {
    "due": "send.status = 'queued' AND send.held_until <= now() AND campaign.status = 'running'",
    "retrying": "send.status = 'queued' AND send.last_error IS NOT NULL",
    "held": "send.status = 'queued' AND campaign.status = 'paused'",
    "claimed": "(send.status = 'sending' OR send.status = 'queued' AND send.held_until > now()"
    " AND send.claim_token IS NOT NULL)",
}


@dataclass(frozen=True, slots=True)
class SendFilter:
    """Which sends. `queue`: which of the queued ones, as the first screen counts them.

    `error`: the class of the last error. `kind`: the id of a kind of failure. `numbers`: these very ones.
    """

    status: SendStatus | None = None
    queue: Queue | None = None
    campaign: str | None = None
    sort: Sort | None = None
    kind: str | None = None
    error: str | None = None
    attempts: int | None = None
    minutes: int | None = None
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


def count_sends(session: Session, workspace: int | None, wanted: SendFilter) -> int:
    """Count the sends that `list_sends` lists."""
    return count(session, _SOURCE, _where(session, workspace, wanted))


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
    campaign = _campaign(wanted.campaign)
    if campaign is not None:
        only_by_index(
            session
        )  # else it hashes all leads and sends there are: 1.1 s instead of 0.3 to count a million's
    return Where.all_of(
        when(workspace is not None, "campaign.workspace_id = :workspace", workspace=workspace),
        when(wanted.status, "send.status = :status", status=wanted.status),
        when(wanted.queue, _QUEUED.get(wanted.queue or "due", "")),
        when(campaign, _OF_CAMPAIGN, campaign=campaign),
        of_class("send.last_error", wanted.error),
        when(wanted.attempts, "send.attempts >= :attempts", attempts=wanted.attempts),
        when(wanted.minutes, "send.created_at > now() - :minutes * interval '1 minute'", minutes=wanted.minutes),
        when(wanted.numbers, "send.id = ANY(:numbers)", numbers=list(wanted.numbers)),
        _of_kind(session, workspace, wanted, campaign),
    )


# By its leads, too: there is no index of all sends by campaign, and among millions those of a small one are few.
_OF_CAMPAIGN = "send.campaign_id = :campaign AND lead.campaign_id = :campaign"


def _of_kind(session: Session, workspace: int | None, wanted: SendFilter, campaign: int | None) -> Condition | None:
    if not wanted.kind or wanted.sort not in {"failedSends", "unknownSends", "retryingSends"}:
        return None
    messages = messages_of(session, wanted.sort, wanted.kind, workspace, campaign)
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
