"""Leads with their enrollments."""

from typing import Annotated

from fastapi import APIRouter, Query

from domain.sequence import EnrollmentStatus
from worker.reports.leads import LeadReport, LeadWithSends, list_leads, read_lead
from worker.web.caller import Reader
from worker.web.openapi import failures
from worker.web.paging import DEFAULT_LIMIT, Cursor, Limit, page, text_of
from worker.web.shapes import Data, Page

router = APIRouter(prefix="/campaigns/{campaign_id}/leads", tags=["Leads"])

OfStatus = Annotated[EnrollmentStatus | None, Query(description="Only with this enrollment status.")]


@router.get("", responses=failures(400, 404))
def list_(
    campaign_id: str, key: Reader, status: OfStatus = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[LeadReport]:
    """List the leads of a campaign, by email."""
    found = list_leads(campaign_id, limit + 1, workspace=key.workspace, status=status, after=text_of(cursor))
    return page(found, limit, lambda lead: lead.email)


# A path, because an address may hold a slash, which arrives decoded.
@router.get("/{lead:path}", responses=failures(404))
def show(campaign_id: str, lead: str, key: Reader) -> Data[LeadWithSends]:
    """Show a lead, by id or email address, with its enrollment and its sends."""
    return Data(data=read_lead(campaign_id, lead, key.workspace))
