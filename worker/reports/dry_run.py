"""What bulk upserts would come to, computed by the pure rule from what is stored now. Nothing is written."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlmodel import col, select

from domain import merge
from domain.bulk_upsert import BulkUpsertCounts
from domain.merge import LeadFields
from domain.rows import FoldedRows
from worker.store.campaigns import find_campaign
from worker.store.connection import transaction
from worker.store.tables import Lead


class _Known(NamedTuple):
    """A lead that is there already."""

    fields: LeadFields
    stopped: bool


def dry_run(campaign_id: str, folded: FoldedRows, workspace: int | None = None) -> BulkUpsertCounts:
    """Count what applying these rows now would count; `CampaignNotFound` where there is none."""
    return _applied(folded, _stored(_number_of(campaign_id, workspace), list(folded.leads)))[0]


class DryRun:
    """Jobs one after another: what an earlier one would have written, a later one finds.

    What they would write is kept in a temporary file of SQLite, because a million leads do not fit into memory.
    """

    def __init__(self, campaign_id: str, workspace: int | None = None) -> None:
        self._campaign = _number_of(campaign_id, workspace)
        self._written = sqlite3.connect("")
        self._written.execute("CREATE TABLE lead (email TEXT PRIMARY KEY, fields TEXT, stopped INTEGER) WITHOUT ROWID")

    def add(self, folded: FoldedRows) -> BulkUpsertCounts:
        """Count what the next job would count."""
        known = self._read(folded.leads)
        known |= _stored(self._campaign, [email for email in folded.leads if email not in known])
        counts, leads = _applied(folded, known)
        self._write({email: _Known(fields, email in known and known[email].stopped) for email, fields in leads.items()})
        return counts

    def close(self) -> None:
        """Forget it all."""
        self._written.close()

    def _read(self, emails: Iterable[str]) -> dict[str, _Known]:
        query = "SELECT email, fields, stopped FROM lead WHERE email IN (SELECT value FROM json_each(?))"
        found = self._written.execute(query, [json.dumps(list(emails))])
        return {email: _Known(LeadFields(*json.loads(fields)), bool(stopped)) for email, fields, stopped in found}

    def _write(self, leads: Mapping[str, _Known]) -> None:
        rows = [
            (email, json.dumps([lead.fields.standard, lead.fields.variables]), lead.stopped)
            for email, lead in leads.items()
        ]
        with self._written:
            self._written.executemany("INSERT OR REPLACE INTO lead VALUES (?, ?, ?)", rows)


def _number_of(campaign_id: str, workspace: int | None) -> int:
    with transaction() as session:
        return find_campaign(session, campaign_id, workspace).number


def _stored(campaign: int, emails: Sequence[str]) -> dict[str, _Known]:
    named = select(Lead).where(col(Lead.campaign_number) == campaign, col(Lead.email).in_(emails))
    with transaction() as session:
        return {lead.email: _Known(lead.fields, lead.status == "stopped") for lead in session.exec(named)}


def _applied(folded: FoldedRows, known: Mapping[str, _Known]) -> tuple[BulkUpsertCounts, dict[str, LeadFields]]:
    leads = {email: lead.fields for email, lead in known.items()}
    outcomes = merge.apply(leads, folded.leads)
    counts = BulkUpsertCounts(
        received=folded.received,
        created=outcomes.count("created"),
        updated=len(outcomes) - outcomes.count("created"),
        unchanged=outcomes.count("unchanged"),
        enrolled=len(outcomes) - sum(lead.stopped for lead in known.values()),
        duplicates=len(folded.duplicates),
        skipped=0,
        errors=len(folded.errors),
    )
    return counts, leads
