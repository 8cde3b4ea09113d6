"""Sources of webhooks, and what became of their last deliveries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from domain.errors import SourceNotFound
from domain.identifiers import public_id, row_key
from worker.reports.ops.listing import Listing, Source, Where, listing, when
from worker.reports.ops.snapshot import rows

_SOURCES = Source(
    select="source.created_at, source.name, source.scheme, source.disabled_at, source.campaign_id,"
    " campaign.created_at AS campaign_created_at, campaign.name AS campaign, last.received_at, last.outcome",
    tables="source JOIN campaign ON campaign.id = source.campaign_id LEFT JOIN LATERAL ("
    " SELECT received_at, outcome FROM source_delivery WHERE source_id = source.id ORDER BY received_at DESC LIMIT 1"
    ") AS last ON true",
    number="source.id",
)
_DELIVERIES = text("""
SELECT delivery.received_at, delivery.outcome, delivery.detail, delivery.times, delivery.job_id, job.created_at,
    job.status
FROM source_delivery AS delivery LEFT JOIN job ON job.id = delivery.job_id
WHERE delivery.source_id = :number ORDER BY delivery.received_at DESC, delivery.id DESC LIMIT 100
""")


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A source, and when it last delivered."""

    number: int
    id: str
    name: str
    scheme: str
    campaign_id: str
    campaign: str
    disabled_at: datetime | None
    last_at: datetime | None
    last_outcome: str | None


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """What became of a delivery; refusals for one reason are one line."""

    received_at: datetime
    outcome: str
    detail: str | None
    times: int
    job_id: str | None
    job_status: str | None


def list_sources(session: Session, workspace: int | None, before: int | None = None) -> Listing[SourceLine]:
    """List sources, newest first."""
    where = Where.all_of(when(workspace is not None, "source.workspace_id = :workspace", workspace=workspace))
    return listing(session, _SOURCES, where, _line, before)


def read_source(session: Session, source_id: str, workspace: int | None) -> tuple[SourceLine, Sequence[DeliveryLine]]:
    """Read one with its deliveries; `SourceNotFound` where the workspace has none of this id."""
    key = row_key("src", source_id)
    where = Where.all_of(
        ("source.id = :number", {"number": key.number if key else 0}),
        when(workspace is not None, "source.workspace_id = :workspace", workspace=workspace),
    )
    found = listing(session, _SOURCES, where, _line).rows
    if not found or found[0].id != source_id.lower():
        raise SourceNotFound(source_id=source_id)
    return found[0], [_delivery(row) for row in rows(session, _DELIVERIES, number=found[0].number)]


def _line(row: Any) -> SourceLine:
    return SourceLine(
        number=row.number,
        id=public_id("src", row.number, row.created_at),
        name=row.name,
        scheme=row.scheme,
        campaign_id=public_id("camp", row.campaign_id, row.campaign_created_at),
        campaign=row.campaign,
        disabled_at=row.disabled_at,
        last_at=row.received_at,
        last_outcome=row.outcome,
    )


def _delivery(row: Any) -> DeliveryLine:
    job = public_id("job", row.job_id, row.created_at) if row.created_at else None
    return DeliveryLine(row.received_at, row.outcome, row.detail, row.times, job, row.status)
