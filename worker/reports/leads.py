"""Leads as people see them, with their enrollments and their sends."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from domain.email_address import normalise
from domain.errors import LeadNotFound
from domain.identifiers import row_key
from domain.rows import Value
from domain.send import SendStatus
from domain.sequence import EnrollmentStatus, StopReason
from worker.reports.shapes import Shape, Time
from worker.store.campaigns import find_campaign
from worker.store.connection import transaction
from worker.store.tables import Lead, Send


class EnrollmentReport(Shape):
    """A lead's place in the sequence. `position`: steps already released."""

    status: EnrollmentStatus
    position: int
    due_at: Time | None
    enrolled_at: Time
    stop_reason: StopReason | None


class LeadReport(Shape):
    """A lead of a campaign."""

    id: str
    email: str
    first_name: str | None
    company: str | None
    job_title: str | None
    custom_variables: dict[str, Value]
    enrollment: EnrollmentReport
    created_at: Time
    updated_at: Time


class SendOfLead(Shape):
    """One step sent to the lead, or on its way."""

    id: str
    step: int
    status: SendStatus
    created_at: Time
    sent_at: Time | None
    last_error: str | None


class LeadWithSends(LeadReport):
    """A lead with its sends, the first step first."""

    sends: list[SendOfLead]


def list_leads(
    campaign_id: str,
    limit: int,
    *,
    workspace: int | None = None,
    status: EnrollmentStatus | None = None,
    after: str = "",
) -> list[LeadReport]:
    """List the leads of a campaign by email, which has an index; `after`: only those with a later email."""
    with transaction() as session:
        campaign = find_campaign(session, campaign_id, workspace)
        query = select(Lead).where(col(Lead.campaign_number) == campaign.number, col(Lead.email) > after)
        if status is not None:
            query = query.where(col(Lead.status) == status)
        return [_report(lead) for lead in session.exec(query.order_by(col(Lead.email)).limit(limit))]


def read_lead(campaign_id: str, lead: str, workspace: int | None = None) -> LeadWithSends:
    """Read a lead by its id or its address, however written; `LeadNotFound` where the campaign has none."""
    with transaction() as session:
        campaign = find_campaign(session, campaign_id, workspace)
        found = _find(session, campaign.number, lead)
        if found is None:
            raise LeadNotFound(lead=lead)
        sends = session.exec(select(Send).where(col(Send.lead_number) == found.number).order_by(col(Send.step)))
        return LeadWithSends(**dict(_report(found)), sends=[_send(send) for send in sends])


def ids_of(session: Session, campaign: int, emails: Sequence[str]) -> dict[str, str]:
    """Give the ids of leads by their stored addresses."""
    named = select(Lead).where(col(Lead.campaign_number) == campaign, col(Lead.email).in_(emails))
    return {lead.email: lead.public_id for lead in session.exec(named)}


def _find(session: Session, campaign: int, lead: str) -> Lead | None:
    key, email = row_key("lead", lead), normalise(lead)
    of_campaign = select(Lead).where(col(Lead.campaign_number) == campaign)
    if key is not None:
        found = session.exec(of_campaign.where(col(Lead.number) == key.number)).one_or_none()
        return found if found and found.public_id == lead.lower() else None
    return session.exec(of_campaign.where(col(Lead.email) == email)).one_or_none() if email else None


def _report(lead: Lead) -> LeadReport:
    return LeadReport(
        id=lead.public_id,
        email=lead.email,
        first_name=lead.first_name,
        company=lead.company,
        job_title=lead.job_title,
        custom_variables=lead.custom_variables,
        enrollment=EnrollmentReport(
            status=lead.status,
            position=lead.position,
            due_at=lead.due_at,
            enrolled_at=lead.enrolled_at,
            stop_reason=lead.stop_reason,
        ),
        created_at=lead.created_at,
        updated_at=lead.updated_at,
    )


def _send(send: Send) -> SendOfLead:
    return SendOfLead(
        id=send.public_id,
        step=send.step,
        status=send.status,
        created_at=send.created_at,
        sent_at=send.finished_at if send.status == "sent" else None,
        last_error=send.last_error,
    )
