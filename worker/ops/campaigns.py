"""Campaigns, one campaign, and one of its leads."""

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from sqlmodel import Session

from worker.ops.deeds import audited, demand_why
from worker.ops.door import Acting, Looking
from worker.ops.pages import PageRoute, go, page
from worker.reports.leads import read_lead
from worker.reports.ops.audit import audit_lines, last_pauses
from worker.reports.ops.campaigns import (
    CampaignFound,
    WaitingPlace,
    add_up,
    find_campaign,
    list_campaigns,
    list_leads,
    list_waiting_leads,
)
from worker.reports.ops.failures import groups_of_sends
from worker.reports.ops.jobs import JobFilter, count_jobs
from worker.reports.ops.progress import read_progress
from worker.reports.ops.sends import SendFilter, count_sends
from worker.reports.ops.snapshot import in_time, snapshot
from worker.store import campaigns

router = APIRouter(prefix="/campaigns", route_class=PageRoute)
leads_router = APIRouter(prefix="/leads", route_class=PageRoute)

Before = Annotated[int | None, Query(ge=1)]
Status = Literal["", "draft", "running", "paused"]
_LINES_SHOWN = 20


@router.get("")
def list_(request: Request, visit: Looking, status: Status = "", before: Before = None) -> HTMLResponse:
    """List campaigns."""
    with snapshot() as session:
        found = list_campaigns(session, visit.workspace, status or None, before)
    return page(request, visit, "campaigns.html", "campaigns", campaigns=found, status_wanted=status)


@leads_router.get("")
def list_leads_of_all(request: Request, visit: Looking, place: WaitingPlace, before: Before = None) -> HTMLResponse:
    """List the leads of all campaigns that wait to be released."""
    with snapshot() as session:
        found = list_waiting_leads(session, visit.workspace, place, before)
    return page(request, visit, "leads.html", "campaigns", leads=found, place=place)


@router.get("/{campaign_id}")
def show(request: Request, visit: Looking, campaign_id: str, place: str = "", before: Before = None) -> HTMLResponse:
    """Show one: the line that adds up, how fast it is released and sent, and its leads at a place."""
    with snapshot() as session:
        found = find_campaign(session, campaign_id, visit.workspace)
        line = in_time(session, lambda: add_up(session, found.number))
        leads = in_time(session, lambda: list_leads(session, found.number, place, before))
        more = {**_release_panel(session, found), **_delivery_panel(session, found)}
        lines = audit_lines(session, None, _LINES_SHOWN, target=found.id)
    shown = {"campaign": found, "line": line, "leads": leads, "place": place, "lines": lines}
    return page(request, visit, "campaign.html", "campaigns", **shown, **more)


def _release_panel(session: Session, campaign: CampaignFound) -> dict[str, object]:
    progress = in_time(session, lambda: read_progress(session, campaign.number))
    waiting = JobFilter(status="accepted", campaign=campaign.id)
    jobs = in_time(session, lambda: count_jobs(session, None, waiting))
    return {"progress": progress, "jobs": jobs, "pause": last_pauses(session, [campaign.id])}


def _delivery_panel(session: Session, campaign: CampaignFound) -> dict[str, object]:
    """Count the sends of a campaign by what became of them; None: counting took too long."""
    states = {
        "sent": SendFilter(status="sent", campaign=campaign.id),
        "failed": SendFilter(status="failed", campaign=campaign.id),
        "unknown": SendFilter(status="unknown", campaign=campaign.id),
        "retrying": SendFilter(queue="retrying", campaign=campaign.id),
    }
    counts = {name: in_time(session, partial(count_sends, session, None, wanted)) for name, wanted in states.items()}
    return {"sends": counts, "failures": in_time(session, partial(groups_of_sends, session, campaign.number))}


@router.get("/{campaign_id}/leads/{lead}")
def show_lead(request: Request, visit: Looking, campaign_id: str, lead: str) -> HTMLResponse:
    """Show a lead and its sends."""
    found = read_lead(campaign_id, lead, visit.workspace)
    with snapshot() as session:
        lines = [line for send in found.sends for line in audit_lines(session, None, _LINES_SHOWN, target=send.id)]
    return page(request, visit, "lead.html", "campaigns", lead=found, campaign_id=campaign_id, lines=lines)


@router.post("/{campaign_id}/start")
def start(visit: Acting, campaign_id: str) -> Response:
    """Start a draft, or go on with what is paused."""
    with audited(visit, "campaign.start", campaign_id) as (session, line):
        campaign = campaigns.lock_campaign(session, campaign_id, visit.workspace)
        line.workspace, line.before = campaign.workspace_number, campaign.status
        campaigns.start(session, campaign)
        line.after = campaign.status
    return go(visit.given("back") or f"/ops/campaigns/{campaign_id}", "started")


@router.post("/{campaign_id}/pause")
def pause(visit: Acting, campaign_id: str) -> Response:
    """Pause a running campaign."""
    with audited(visit, "campaign.pause", campaign_id) as (session, line):
        line.why = demand_why(visit)
        campaign = campaigns.lock_campaign(session, campaign_id, visit.workspace)
        line.workspace, line.before = campaign.workspace_number, campaign.status
        campaigns.pause(session, campaign)
        line.after = campaign.status
    return go(visit.given("back") or f"/ops/campaigns/{campaign_id}", "paused")
