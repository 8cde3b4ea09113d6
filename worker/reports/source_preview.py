"""What a sample payload of a source would become. Nothing is written."""

from typing import Any

from pydantic_core import from_json, to_json

from domain.bulk_upsert import Limits
from domain.rows import RowError, fold
from domain.source import read_payload
from worker.reports.dry_run import dry_run
from worker.reports.shapes import Shape
from worker.store.connection import transaction
from worker.store.sources import find_source

_ROWS_SHOWN = 100


class Preview(Shape):
    """What would become of a payload: the counts of its job, the rows that are bad, and the first rows as mapped.

    Where a field could not be computed, an object with the `fault` stands in its place.
    """

    received: int
    created: int
    updated: int
    unchanged: int
    enrolled: int
    duplicates: int
    skipped: int
    errors: list[RowError]
    message_id: str | None
    leads: list[Any]


def preview(source_id: str, payload: bytes, limits: Limits, workspace: int) -> Preview:
    """Read a payload as the source would; `InvalidRequest` where nothing can be made of it."""
    with transaction() as session:
        known = find_source(session, source_id, workspace)
    mapped = read_payload(known.recipe, payload, limits)
    folded = fold(mapped.leads)
    counts = dry_run(known.campaign_id, folded, workspace).model_dump(exclude={"errors"})
    # An expression may give what JSON cannot hold, such as infinity; a lead may not, and its row is among the errors.
    shown: list[Any] = from_json(to_json(mapped.leads[:_ROWS_SHOWN], inf_nan_mode="null", fallback=str))
    return Preview(**counts, errors=folded.errors, message_id=mapped.message_id, leads=shown)
