"""A bulk upsert on its way into the ledger."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from pydantic import TypeAdapter

from domain.identifiers import RowKey, row_key
from domain.job import IdempotencyKey
from domain.rows import FoldedRows, RowError, fold
from worker.observability import tracing
from worker.store import row_format

_ROW_ERRORS = TypeAdapter(list[RowError])
# What an id that can name no campaign names: the database numbers from 1.
_NO_CAMPAIGN = RowKey(0, datetime.min.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Request:
    """One bulk upsert, judged and folded, ready to be committed. Making it takes no transaction.

    `workspace`: the tenant whose key was presented; None at the doors of the queue, where it follows from the campaign.
    `import_number`: the import that this is a part of, if any.
    """

    campaign_id: str
    campaign: RowKey
    folded: FoldedRows
    rows: bytes
    row_errors: bytes
    fingerprint: bytes
    key: IdempotencyKey | None = None
    workspace: int | None = None
    import_number: int | None = None
    trace: str | None = None

    @classmethod
    def of(
        cls,
        campaign_id: str,
        leads: Iterable[object],
        key: IdempotencyKey | None = None,
        workspace: int | None = None,
        import_number: int | None = None,
    ) -> Self:
        """Judge and fold the leads of a request."""
        campaign = row_key("camp", campaign_id) or _NO_CAMPAIGN
        folded = fold(leads)
        row_errors = _ROW_ERRORS.dump_json(folded.errors)
        rows = row_format.encode(folded.leads)
        fingerprint = _fingerprint(campaign.number, folded, row_errors, rows)
        trace = tracing.traceparent()
        return cls(campaign_id, campaign, folded, rows, row_errors, fingerprint, key, workspace, import_number, trace)


def _fingerprint(campaign: int, folded: FoldedRows, row_errors: bytes, rows: bytes) -> bytes:
    """Tell requests apart by what they ask for, so that the same leads are the same through any door."""
    asked = [b"%d %d" % (campaign, folded.received), repr(folded.duplicates).encode(), row_errors, rows]
    return hashlib.sha256(b"\0".join(asked)).digest()
