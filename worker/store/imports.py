"""Imports: each part of a file is committed with the job that it becomes, its errors and its counts, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from domain.errors import ImportNotFound
from domain.file_import import ImportStatus
from domain.identifiers import row_key
from worker.files.records import LineError
from worker.store import ledger
from worker.store.campaigns import find_campaign
from worker.store.connection import transaction
from worker.store.door_tables import LeadImport
from worker.store.finding import find
from worker.store.ledger import Acceptance, Request
from worker.store.lookups import only_by_index

# Each of the three statements of parts changes nothing the second time: jobs have a key, the line is the key of an
# error, and `chunks` says whether the parts were counted.
_COUNT = text("""
UPDATE lead_import SET
    chunks = :place, received = received + :received, rejected = rejected + :rejected, heard_at = now()
WHERE id = :number AND chunks < :place
""")

_KEEP_ERRORS = text("""
INSERT INTO import_error (import_id, line, email, field, code, message)
SELECT :number, *
FROM unnest(
    CAST(:lines AS bigint[]), CAST(:emails AS text[]), CAST(:fields AS text[]), CAST(:codes AS text[]),
    CAST(:messages AS text[])
)
ON CONFLICT (import_id, line) DO NOTHING
""")

_HEAR = text("UPDATE lead_import SET heard_at = now() WHERE id = :number")

_END = text("""
UPDATE lead_import SET reading = :reading, why = :why, heard_at = now(), finished_at = now()
WHERE id = :number AND reading = 'running'
""")

_FORGET = text("DELETE FROM lead_import WHERE id = :number AND chunks = 0")

# An import after the other, by index: a few thousand rows an import at most, as long as the oldest lasts.
_FORGET_ERRORS = text("""
DELETE FROM import_error
WHERE ctid = ANY (ARRAY(
    SELECT old.ctid
    FROM (
        SELECT id FROM lead_import
        WHERE rejected > 0 AND heard_at < now() - CAST(:retention AS interval) ORDER BY id
    ) AS ended
    CROSS JOIN LATERAL (SELECT ctid FROM import_error WHERE import_id = ended.id LIMIT 10000) AS old
    LIMIT 10000
))
""")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a file: its place from 1, its records, those not taken, and the request that the others make."""

    place: int
    received: int
    errors: Sequence[LineError]
    request: Request | None


def begin(campaign_id: str, workspace: int | None = None) -> LeadImport:
    """Begin an import into a campaign of the workspace (None: of any)."""
    with transaction() as session:
        campaign = find_campaign(session, campaign_id, workspace)
        begun = LeadImport(workspace_number=campaign.workspace_number, campaign_number=campaign.number)
        session.add(begun)
        session.flush()
        session.refresh(begun)
    return begun


def accept_chunks(number: int, chunks: Sequence[Chunk]) -> list[Acceptance]:
    """Commit parts of the file together, once however often they are tried; give their jobs."""
    errors = [error for chunk in chunks for error in chunk.errors]
    with transaction() as session:
        accepted = ledger.accept_within(session, [chunk.request for chunk in chunks if chunk.request])
        counts = {"received": sum(chunk.received for chunk in chunks), "rejected": len(errors)}
        session.connection().execute(_COUNT, {"number": number, "place": chunks[-1].place, **counts})
        if errors:
            session.connection().execute(_KEEP_ERRORS, {"number": number, **_columns(errors)})
    return accepted


def hear(number: int) -> None:
    """Note that whoever reads the file is alive."""
    with transaction() as session:
        session.connection().execute(_HEAR, {"number": number})


def end(number: int, reading: ImportStatus, why: str | None = None) -> None:
    """Note how the reading ended."""
    with transaction() as session:
        session.connection().execute(_END, {"number": number, "reading": reading, "why": why})


def forget(number: int) -> None:
    """Undo the begin of an import of which nothing came: its file was refused as a whole."""
    with transaction() as session:
        session.connection().execute(_FORGET, {"number": number})


def forget_errors(session: Session, retention: timedelta) -> None:
    """Drop rows that were not taken longer ago than `retention`; the counts stay."""
    only_by_index(session)
    session.connection().execute(_FORGET_ERRORS, {"retention": retention})


def find_import(session: Session, import_id: str, workspace: int | None = None) -> LeadImport:
    """Read an import by its public id; one of another workspace does not exist (None: all do)."""
    found = find(session, LeadImport, row_key("imp", import_id), workspace=workspace)
    if found is None:
        raise ImportNotFound(import_id=import_id)
    return found


def _columns(errors: Sequence[LineError]) -> dict[str, list[Any]]:
    return {
        "lines": [error.line for error in errors],
        "emails": [error.email for error in errors],
        "fields": [error.field for error in errors],
        "codes": [error.code for error in errors],
        "messages": [error.message for error in errors],
    }
