"""The leads as PostgreSQL has them, held against what they must be."""

from collections.abc import Mapping
from datetime import timedelta

from sqlmodel import col, func, select

from domain.merge import LeadFields, same
from worker.store.connection import transaction
from worker.store.tables import Campaign, Lead


def leads_that_differ(campaign: Campaign, expected: Mapping[str, LeadFields]) -> int:
    """Count the leads that are missing, too many, or hold other values."""
    with transaction() as session:
        of_campaign = select(Lead).where(col(Lead.campaign_number) == campaign.number)
        stored = {lead.email: lead.fields for lead in session.exec(of_campaign)}
    unequal = sum(not same(stored[email], expected[email]) for email in stored.keys() & expected.keys())
    return unequal + len(stored.keys() ^ expected.keys())


def leads_due_in(campaign: Campaign, days: int) -> int:
    """Count the leads whose next step is due about `days` from now."""
    due_at, now, hour = col(Lead.due_at), func.now(), timedelta(hours=1)
    ahead = timedelta(days=days)
    with transaction() as session:
        due = select(func.count()).where(col(Lead.campaign_number) == campaign.number)
        return session.exec(due.where(due_at.between(now + ahead - hour, now + ahead))).one()
