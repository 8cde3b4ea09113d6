"""Sends as people see them: which step went to whom, and what became of it."""

from datetime import datetime

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from domain.errors import SendNotFound
from domain.identifiers import public_id, row_key
from domain.send import SendStatus
from worker.reports.shapes import Shape, Time
from worker.store.campaigns import find_campaign
from worker.store.connection import transaction
from worker.store.tables import Campaign, Lead, Send


class SendReport(Shape):
    """One message of one step to one lead. `sent_at`: when the transport had taken it."""

    id: str
    campaign_id: str
    lead_id: str
    email: str
    step: int
    status: SendStatus
    attempts: int
    created_at: Time
    sent_at: Time | None
    last_error: str | None


def read_send(send_id: str) -> SendReport:
    """Read a send; `SendNotFound` when there is none of this id."""
    key = row_key("send", send_id)
    with transaction() as session:
        found = _read(session, _sends().where(col(Send.number) == key.number)) if key else []
    if not found or found[0].id != send_id.lower():
        raise SendNotFound(send_id=send_id)
    return found[0]


def list_sends(limit: int, *, campaign_id: str | None = None, status: SendStatus | None = None) -> list[SendReport]:
    """List sends, newest first."""
    query = _sends().order_by(col(Send.number).desc()).limit(limit)
    if status:
        query = query.where(col(Send.status) == status)
    with transaction() as session:
        if campaign_id is not None:
            query = query.where(col(Send.campaign_number) == find_campaign(session, campaign_id).number)
        return _read(session, query)


def _sends() -> "Select[Send, datetime, datetime, str]":
    return (
        select(Send, col(Campaign.created_at), col(Lead.created_at), col(Lead.email))
        .join(Campaign, col(Campaign.number) == col(Send.campaign_number))
        .join(Lead, col(Lead.number) == col(Send.lead_number))
    )


def _read(session: Session, query: "Select[Send, datetime, datetime, str]") -> list[SendReport]:
    return [
        SendReport(
            id=send.public_id,
            campaign_id=public_id("camp", send.campaign_number, campaign_created_at),
            lead_id=public_id("lead", send.lead_number, lead_created_at),
            email=email,
            step=send.step,
            status=send.status,
            attempts=send.attempts,
            created_at=send.created_at,
            sent_at=send.finished_at if send.status == "sent" else None,
            last_error=send.last_error,
        )
        for send, campaign_created_at, lead_created_at, email in session.exec(query)
    ]
