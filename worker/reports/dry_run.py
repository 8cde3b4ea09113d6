"""What a bulk upsert would come to, computed by the pure rule from what is stored now. Nothing is written."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from domain import merge
from domain.bulk_upsert import BulkUpsertCounts
from domain.rows import FoldedRows
from worker.store.campaigns import find_campaign
from worker.store.connection import transaction
from worker.store.tables import Lead


def dry_run(campaign_id: str, folded: FoldedRows, workspace: int | None = None) -> BulkUpsertCounts:
    """Count what applying these rows now would count; `CampaignNotFound` where there is none."""
    with transaction() as session:
        campaign = find_campaign(session, campaign_id, workspace)
        stored = _stored(session, campaign.number, list(folded.leads))
    stopped = sum(lead.status == "stopped" for lead in stored)
    outcomes = merge.apply({lead.email: lead.fields for lead in stored}, folded.leads)
    return BulkUpsertCounts(
        received=folded.received,
        created=outcomes.count("created"),
        updated=len(outcomes) - outcomes.count("created"),
        unchanged=outcomes.count("unchanged"),
        enrolled=len(outcomes) - stopped,
        duplicates=len(folded.duplicates),
        skipped=0,
        errors=len(folded.errors),
    )


def _stored(session: Session, campaign: int, emails: Sequence[str]) -> Sequence[Lead]:
    named = select(Lead).where(col(Lead.campaign_number) == campaign, col(Lead.email).in_(emails))
    return session.exec(named).all()
