"""Looking into the store from outside."""

from typing import Any

from sqlalchemy import text

from domain.merge import LeadFields
from worker.store.connection import transaction


def sql(statement: str, **parameters: object) -> list[Any]:
    """Run one statement and give its rows."""
    with transaction() as session:
        result = session.connection().execute(text(statement), parameters)
        return list(result.all()) if result.returns_rows else []


def stored_leads(campaign: int) -> dict[str, LeadFields]:
    """The leads of a campaign as the pure merge rule sees them."""
    rows = sql(
        "SELECT email, first_name, company, job_title, custom_variables FROM lead WHERE campaign_id = :campaign",
        campaign=campaign,
    )
    return {
        email: LeadFields({"firstName": first, "company": company, "jobTitle": title}, variables)
        for email, first, company, title, variables in rows
    }


def job_statuses(campaign: int) -> dict[str, int]:
    """How many jobs of a campaign have which status."""
    counts = "SELECT status, count(*) FROM job WHERE campaign_id = :campaign GROUP BY status"
    return dict(map(tuple, sql(counts, campaign=campaign)))


def send_statuses(campaign: int, step: int | None = None) -> dict[str, int]:
    """How many sends of a campaign (of one step) have which status."""
    counts = (
        "SELECT status, count(*) FROM send WHERE campaign_id = :campaign AND step = coalesce(:step, step)"
        " GROUP BY status"
    )
    return dict(map(tuple, sql(counts, campaign=campaign, step=step)))
