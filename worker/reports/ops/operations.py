"""Bulk operations as people see them: what was asked, how far it is, and what came of it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from domain.errors import OperationNotFound
from domain.identifiers import public_id, row_key
from domain.operation import CONSEQUENCES, DEEDS, OperationKind, OperationStatus, is_over
from worker.reports.ops.snapshot import rows

_OPERATIONS = text("""
SELECT id, kind, status, filter, who, why, eligible, ineligible, done, skipped, failed,
    created_at, started_at, finished_at
FROM operation
WHERE (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace)
    AND (NOT :open OR status IN ('running', 'cancelling'))
    AND (CAST(:number AS bigint) IS NULL OR id = :number)
    AND (CAST(:before AS bigint) IS NULL OR id < :before)
ORDER BY id DESC LIMIT :limit
""")
_OUTCOMES = text("""
SELECT coalesce(outcome, 'open') AS outcome, count(*) AS items FROM operation_item
WHERE operation_id = :number GROUP BY 1 ORDER BY 2 DESC
""")


_ON_JOB = text("""
SELECT operation.id, operation.created_at, operation.kind, operation.status, operation.who, item.outcome
FROM operation_item AS item JOIN operation ON operation.id = item.operation_id
WHERE item.item = :job AND operation.kind = 'retryJobs' AND operation.status <> 'previewed'
ORDER BY operation.id DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class OperationReport:
    """One action on a frozen set."""

    number: int
    kind: OperationKind
    status: OperationStatus
    filter: str
    who: str
    why: str | None
    eligible: int
    ineligible: dict[str, int]
    done: int
    skipped: int
    failed: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def id(self) -> str:
        """`op_…`."""
        return public_id("op", self.number, self.created_at)

    @property
    def deed(self) -> str:
        """What it does, in words."""
        return DEEDS[self.kind]

    @property
    def consequence(self) -> str:
        """What comes of it, in a sentence."""
        return CONSEQUENCES[self.kind]

    @property
    def through(self) -> int:
        """How many items it is through with."""
        return self.done + self.skipped + self.failed

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return is_over(self.status)


@dataclass(frozen=True, slots=True)
class OperationOnItem:
    """A bulk operation, and what came of one of its items; None: nothing yet."""

    id: str
    deed: str
    status: OperationStatus
    who: str
    outcome: str | None


def list_operations(
    session: Session, workspace: int | None, limit: int, *, only_open: bool = False, before: int | None = None
) -> list[OperationReport]:
    """List bulk operations, newest first."""
    which = {"number": None, "before": before, "open": only_open}
    return [OperationReport(*row) for row in rows(session, _OPERATIONS, workspace=workspace, limit=limit, **which)]


def read_operation(session: Session, operation_id: str, workspace: int | None) -> OperationReport:
    """Read one; `OperationNotFound` where the workspace has none of this id."""
    key = row_key("op", operation_id)
    which = {"number": key and key.number, "before": None, "open": False}
    found = rows(session, _OPERATIONS, workspace=workspace, limit=1, **which) if key else []
    report = OperationReport(*found[0]) if found else None
    if report is None or report.id != operation_id.lower():
        raise OperationNotFound(operation_id=operation_id)
    return report


def operations_on_job(session: Session, job: int, limit: int) -> list[OperationOnItem]:
    """List the bulk operations that a job was part of, newest first."""
    return [
        OperationOnItem(public_id("op", row.id, row.created_at), DEEDS[row.kind], row.status, row.who, row.outcome)
        for row in rows(session, _ON_JOB, job=job, limit=limit)
    ]


def outcomes(session: Session, number: int) -> dict[str, int]:
    """Count what became of its items."""
    return {row.outcome: row.items for row in rows(session, _OUTCOMES, number=number)}
