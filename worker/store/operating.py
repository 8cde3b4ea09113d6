"""Bulk operations: a set frozen at its preview, worked through in chunks, each in a transaction of its own.

An item that is no longer what it was at the preview is skipped, with what it is now: so a chunk that is done twice
changes nothing, and a send that was resolved meanwhile is not resolved again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from domain.errors import OperationNotFound, OperationNotOpen
from domain.identifiers import public_id, row_key
from domain.operation import MAX_ITEMS, OperationKind
from worker import nudges
from worker.store.connection import after_commit, transaction
from worker.store.finding import find
from worker.store.ops_tables import Operation

CHUNK = 200

_FREEZE = """
INSERT INTO operation_item (operation_id, item)
SELECT :operation, id FROM ({chosen}) AS chosen WHERE eligible ORDER BY id LIMIT :most
"""
_INELIGIBLE = "SELECT reason, count(*) FROM ({chosen}) AS chosen WHERE NOT eligible GROUP BY reason"

_NEXT = text("""
SELECT item FROM operation_item WHERE operation_id = :operation AND outcome IS NULL ORDER BY item LIMIT :chunk
""")
_NOTE = text("""
UPDATE operation_item SET outcome = given.outcome
FROM unnest(CAST(:items AS bigint[]), CAST(:outcomes AS text[])) AS given (item, outcome)
WHERE operation_id = :operation AND operation_item.item = given.item
""")
_NOTE_PROGRESS = text("""
UPDATE operation SET done = done + :done, skipped = skipped + :skipped, heard_at = now() WHERE id = :operation
""")
_FINISH = text("UPDATE operation SET status = :status, finished_at = now(), heard_at = now() WHERE id = :operation")
_UNHEARD = text("""
SELECT id FROM operation
WHERE status IN ('running', 'cancelling') AND (heard_at IS NULL OR heard_at < now() - interval '20 seconds')
""")
_FORGET_PREVIEWS = text("""
DELETE FROM operation WHERE status = 'previewed' AND created_at < now() - interval '1 hour'
""")

_STATUS_OF_JOBS = text("SELECT id, status, rows IS NOT NULL AS kept FROM job WHERE id = ANY(:items)")
_ACCEPT_ANEW = text("""
INSERT INTO job (
    workspace_id, campaign_id, key_space, idempotency_key, fingerprint,
    rows, row_count, row_errors, duplicate_rows, received, duplicates, errors, import_id
)
SELECT
    workspace_id, campaign_id, 'retry', CAST(id AS text), fingerprint,
    rows, row_count, row_errors, duplicate_rows, received, duplicates, errors, import_id
FROM job WHERE id = ANY(:items) AND status = 'dead' AND rows IS NOT NULL ORDER BY id
ON CONFLICT ON CONSTRAINT job_idempotency_key DO NOTHING
RETURNING CAST(idempotency_key AS bigint) AS item, campaign_id
""")
_CAMPAIGNS = text("SELECT id, created_at FROM campaign WHERE id = ANY(:campaigns)")

_STATUS_OF_SENDS = text("SELECT id, status FROM send WHERE id = ANY(:items)")
_RESOLVE = text("""
UPDATE send SET status = :status, claim_token = NULL, held_until = now(),
    finished_at = CASE WHEN :status = 'sent' THEN now() END
WHERE id = ANY(:items) AND status = 'unknown'
RETURNING id AS item, campaign_id
""")


@dataclass(frozen=True, slots=True)
class Plan:
    """What an operation is to be done to. `chosen`: SQL that gives `id`, `eligible` and `reason` of each item."""

    kind: OperationKind
    filter: str
    chosen: str
    parameters: Mapping[str, object]


def preview(session: Session, workspace: int, who: str, plan: Plan) -> Operation:
    """Freeze the set: what fails later is not touched."""
    operation = Operation(
        workspace_number=workspace, kind=plan.kind, filter=plan.filter, who=who, eligible=0, ineligible={}
    )
    session.add(operation)
    session.flush()
    session.refresh(operation)
    which = {**plan.parameters, "operation": operation.number, "most": MAX_ITEMS}
    frozen = session.connection().execute(text(_FREEZE.format(chosen=plan.chosen)), which)
    left = session.connection().execute(text(_INELIGIBLE.format(chosen=plan.chosen)), {**plan.parameters})
    operation.eligible = frozen.rowcount
    operation.ineligible = dict(left.all())
    return operation


def find_operation(session: Session, operation_id: str, workspace: int | None) -> Operation:
    """Read an operation to change it; one of another workspace does not exist (None: all do)."""
    found = find(session, Operation, row_key("op", operation_id), workspace=workspace, lock=True)
    if found is None:
        raise OperationNotFound(operation_id=operation_id)
    return found


def begin(session: Session, operation: Operation, why: str) -> None:
    """Let a previewed operation run."""
    if operation.status != "previewed":
        raise OperationNotOpen(status=operation.status)
    operation.status, operation.why = "running", why
    operation.started_at = session.connection().execute(text("SELECT now()")).scalar_one()
    after_commit(session, nudges.operate, operation.number)


def cancel(operation: Operation) -> None:
    """Let a running operation end after the chunk in hand; what is done stays done."""
    if operation.status != "running":
        raise OperationNotOpen(status=operation.status)
    operation.status = "cancelling"


def work_on(number: int) -> bool:
    """Do one chunk; False once the operation is over, or somebody else is at it."""
    with transaction() as session:
        operation = _take(session, number)
        if operation is None:
            return False
        items = _next(session, number)
        if operation.status == "cancelling" or not items:
            status = "cancelled" if operation.status == "cancelling" and items else "done"
            session.connection().execute(_FINISH, {"operation": number, "status": status})
            return False
        outcomes = _do(session, operation.kind, items)
        _note(session, number, outcomes)
    return True


def unheard(session: Session) -> list[int]:
    """List operations that nobody seems to work on."""
    return [number for (number,) in session.connection().execute(_UNHEARD)]


def forget_previews(session: Session) -> None:
    """Drop previews that nobody ran within an hour."""
    session.connection().execute(_FORGET_PREVIEWS)


def _take(session: Session, number: int) -> Any:
    open_ones = text(
        "SELECT kind, status FROM operation WHERE id = :operation AND status IN ('running', 'cancelling')"
        " FOR NO KEY UPDATE SKIP LOCKED"
    )
    return session.connection().execute(open_ones, {"operation": number}).one_or_none()


def _next(session: Session, number: int) -> list[int]:
    found = session.connection().execute(_NEXT, {"operation": number, "chunk": CHUNK})
    return [item for (item,) in found]


def _do(session: Session, kind: OperationKind, items: list[int]) -> dict[int, str]:
    if kind == "retryJobs":
        return _retry(session, items)
    return _resolve(session, items, "sent" if kind == "resolveSent" else "queued")


def _retry(session: Session, items: list[int]) -> dict[int, str]:
    seen = session.connection().execute(_STATUS_OF_JOBS, {"items": items}).all()
    made = session.connection().execute(_ACCEPT_ANEW, {"items": items}).all()
    for number, created_at in session.connection().execute(_CAMPAIGNS, {"campaigns": [c for _, c in made]}):
        after_commit(session, nudges.apply, public_id("camp", number, created_at))
    anew = {item for item, _ in made}
    reasons = {row.id: _why_not_retried(row.status, kept=row.kept) for row in seen}
    return {item: "done" if item in anew else reasons.get(item, "gone") for item in items}


def _why_not_retried(status: str, *, kept: bool) -> str:
    if status != "dead":
        return f"it is {status} now"
    return "retried before" if kept else "its rows are gone"


def _resolve(session: Session, items: list[int], status: str) -> dict[int, str]:
    seen = {row.id: row.status for row in session.connection().execute(_STATUS_OF_SENDS, {"items": items})}
    resolved = session.connection().execute(_RESOLVE, {"items": items, "status": status}).all()
    for number, created_at in session.connection().execute(_CAMPAIGNS, {"campaigns": [c for _, c in resolved]}):
        after_commit(session, nudges.release, public_id("camp", number, created_at))
    after_commit(session, nudges.deliver)
    done = {item for item, _ in resolved}
    return {item: "done" if item in done else _why_not_resolved(seen.get(item)) for item in items}


def _why_not_resolved(status: str | None) -> str:
    return "already sent" if status == "sent" else f"it is {status or 'gone'} now"


def _note(session: Session, number: int, outcomes: Mapping[int, str]) -> None:
    done = sum(outcome == "done" for outcome in outcomes.values())
    progress = {"operation": number, "done": done, "skipped": len(outcomes) - done}
    session.connection().execute(
        _NOTE, {"operation": number, "items": list(outcomes), "outcomes": list(outcomes.values())}
    )
    session.connection().execute(_NOTE_PROGRESS, progress)
