"""Imports as people see them: how far, what came of them, and the rows that were not taken."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, text
from sqlmodel import Session, col, select

from domain.errors import ResultsExpired
from domain.file_import import ImportStatus, status_of, why_of
from domain.identifiers import public_id
from worker.files.records import LineError
from worker.files.rejected import as_csv, header
from worker.reports.shapes import Shape, Time
from worker.settings import settings
from worker.store.campaigns import find_campaign
from worker.store.connection import transaction
from worker.store.door_tables import ImportErrorRow, LeadImport
from worker.store.imports import find_import

_ERRORS_AT_ONCE = 1_000


class ImportErrorsExpired(ResultsExpired):
    """The rejected rows of import {import_id} were kept until {expired_at} and are gone: its counts remain."""


class JobsOfImport(Shape):
    """How many jobs came of it, by status. A dead job that was retried counts as its new one."""

    accepted: int
    applied: int
    dead: int


class ImportReport(Shape):
    """An import. What merging comes to counts the jobs that are applied by now.

    `received` = `accepted_rows` + `errors`; `accepted_rows` = created + updated + duplicates + skipped once all is
    applied. `duplicates` are rows folded within their job; one whose email was in an earlier job counts as updated.
    """

    id: str
    campaign_id: str
    status: ImportStatus
    why: str | None
    received: int
    accepted_rows: int
    applied_rows: int
    created: int
    updated: int
    unchanged: int
    enrolled: int
    duplicates: int
    skipped: int
    errors: int
    jobs: JobsOfImport
    created_at: Time
    heard_at: Time
    finished_at: Time | None


_REPORTS = text("""
SELECT
    i.id, i.created_at, i.campaign_id, campaign.created_at AS campaign_created_at, i.reading, i.why,
    i.received, i.rejected, i.heard_at, i.finished_at, now() AS now, sums.*
FROM lead_import AS i
JOIN campaign ON campaign.id = i.campaign_id
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE status = 'accepted') AS jobs_accepted,
        count(*) FILTER (WHERE status = 'applied') AS jobs_applied,
        count(*) FILTER (WHERE status = 'dead') AS jobs_dead,
        coalesce(sum(created), 0) AS created, coalesce(sum(updated), 0) AS updated,
        coalesce(sum(unchanged), 0) AS unchanged, coalesce(sum(enrolled), 0) AS enrolled,
        coalesce(sum(duplicates) FILTER (WHERE status = 'applied'), 0) AS duplicates,
        coalesce(sum(skipped) FILTER (WHERE status = 'applied'), 0) AS skipped
    FROM job
    WHERE import_id = i.id AND NOT (status = 'dead' AND EXISTS (
        SELECT FROM job AS anew
        WHERE anew.workspace_id = job.workspace_id
            AND anew.key_space = 'retry' AND anew.idempotency_key = CAST(job.id AS text)
    ))
) AS sums
WHERE i.id = ANY(:numbers)
ORDER BY i.id DESC
""")


def read_import(import_id: str, workspace: int | None = None) -> ImportReport:
    """Read an import; `ImportNotFound` when there is none of this id, in this workspace (None: in any)."""
    with transaction() as session:
        return _read(session, [find_import(session, import_id, workspace).number])[0]


def list_imports(
    campaign_id: str, limit: int, *, workspace: int | None = None, before: int | None = None
) -> list[ImportReport]:
    """List the imports into a campaign, newest first; `before`: only those with a smaller number."""
    with transaction() as session:
        campaign = find_campaign(session, campaign_id, workspace)
        query = select(LeadImport.number).where(col(LeadImport.campaign_number) == campaign.number)
        if before is not None:
            query = query.where(col(LeadImport.number) < before)
        return _read(session, session.exec(query.order_by(col(LeadImport.number).desc()).limit(limit)).all())


def errors_as_csv(import_id: str, workspace: int | None = None) -> Iterator[str]:
    """Give the rows that were not taken, part by part; `ImportErrorsExpired` once they are no longer kept."""
    with transaction() as session:
        found = find_import(session, import_id, workspace)
        kept_until = found.heard_at + timedelta(days=settings().retention_days)
        if found.rejected and kept_until < session.exec(select(func.now())).one():
            raise ImportErrorsExpired(import_id=import_id, expired_at=f"{kept_until:%F %T}Z")
    return _csv(found.number)


def _csv(number: int) -> Iterator[str]:
    yield header()
    line = -1
    while errors := _errors_after(number, line):
        yield as_csv(errors)
        line = errors[-1].line


def _errors_after(number: int, line: int) -> list[LineError]:
    rows = select(ImportErrorRow).where(col(ImportErrorRow.import_number) == number, col(ImportErrorRow.line) > line)
    with transaction() as session:
        found = session.exec(rows.order_by(col(ImportErrorRow.line)).limit(_ERRORS_AT_ONCE))
        return [LineError(row.line, row.email, row.field, row.code, row.message) for row in found]


def _read(session: Session, numbers: Sequence[int]) -> list[ImportReport]:
    return [_report(row) for row in session.connection().execute(_REPORTS, {"numbers": list(numbers)}).mappings()]


def _report(row: Any) -> ImportReport:
    status = status_of(row["reading"], row["heard_at"], row["now"], row["jobs_accepted"])
    return ImportReport(
        **{name: row[name] for name in _AS_THEY_ARE},
        id=public_id("imp", row["id"], row["created_at"]),
        campaign_id=public_id("camp", row["campaign_id"], row["campaign_created_at"]),
        status=status,
        why=why_of(row["reading"], status, row["why"]),
        accepted_rows=row["received"] - row["rejected"],
        applied_rows=row["created"] + row["updated"] + row["duplicates"] + row["skipped"],
        errors=row["rejected"],
        jobs=JobsOfImport(accepted=row["jobs_accepted"], applied=row["jobs_applied"], dead=row["jobs_dead"]),
    )


_COUNTS = ("received", "created", "updated", "unchanged", "enrolled", "duplicates", "skipped")
_AS_THEY_ARE = (*_COUNTS, "created_at", "heard_at", "finished_at")
