"""Sources as people see them, without their secrets, and what became of their deliveries."""

from sqlmodel import col, select

from domain.identifiers import public_id
from domain.signature import Encoding, Scheme
from domain.source import DELIVERIES_KEPT, Outcome
from worker.reports.shapes import Shape, Time
from worker.store.connection import transaction
from worker.store.door_tables import Source, SourceDelivery
from worker.store.sources import KnownSource, find_source
from worker.store.tables import Campaign, Job


class SourceReport(Shape):
    """A source of webhooks. Until `previousSecretUntil` the secret before the last change is good too."""

    id: str
    name: str
    campaign_id: str
    url: str
    scheme: Scheme
    header: str | None
    encoding: Encoding | None
    prefix: str | None
    id_header: str | None
    id_path: str | None
    leads_path: str
    mapping: dict[str, str]
    previous_secret_until: Time | None
    created_at: Time
    disabled_at: Time | None


class DeliveryReport(Shape):
    """What became of a delivery. Refusals for one reason are one row; `receivedAt` is the last time."""

    received_at: Time
    outcome: Outcome
    detail: str | None
    job_id: str | None
    times: int


def report(known: KnownSource, base_url: str) -> SourceReport:
    """Show a source; `base_url`: where its caller sees the API."""
    source = known.row
    shown = source.model_dump(include=set(SourceReport.model_fields))
    url = f"{base_url}hooks/{source.public_id}"
    return SourceReport(id=source.public_id, campaign_id=known.campaign_id, url=url, **shown)


def list_sources(limit: int, workspace: int, base_url: str, before: int | None = None) -> list[SourceReport]:
    """List the sources of a workspace, newest first; `before`: only those with a smaller number."""
    on = col(Campaign.number) == col(Source.campaign_number)
    query = select(Source, Campaign).join(Campaign, on).where(col(Source.workspace_number) == workspace)
    if before is not None:
        query = query.where(col(Source.number) < before)
    with transaction() as session:
        found = session.exec(query.order_by(col(Source.number).desc()).limit(limit))
        return [report(KnownSource(source, campaign.public_id), base_url) for source, campaign in found]


def show_source(source_id: str, workspace: int, base_url: str) -> SourceReport:
    """Show one source; `SourceNotFound` where the workspace has none of this id."""
    with transaction() as session:
        return report(find_source(session, source_id, workspace), base_url)


def list_deliveries(source_id: str, workspace: int) -> list[DeliveryReport]:
    """List what became of the last deliveries of a source, newest first."""
    with transaction() as session:
        source = find_source(session, source_id, workspace).row
        query = (
            select(SourceDelivery, col(Job.created_at))
            .join(Job, col(Job.number) == col(SourceDelivery.job_number), isouter=True)
            .where(col(SourceDelivery.source_number) == source.number)
            .order_by(col(SourceDelivery.received_at).desc(), col(SourceDelivery.number).desc())
            .limit(DELIVERIES_KEPT)
        )
        return [
            DeliveryReport(
                received_at=delivery.received_at,
                outcome=delivery.outcome,
                detail=delivery.detail,
                job_id=public_id("job", delivery.job_number, accepted_at) if delivery.job_number else None,
                times=delivery.times,
            )
            for delivery, accepted_at in session.exec(query)
        ]
