"""What people did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from worker.reports.ops.snapshot import rows

_AUDIT = text("""
SELECT id, at, who, action, target, why, before, after, result FROM audit
WHERE (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace)
    AND (CAST(:target AS text) IS NULL OR target = :target)
    AND (CAST(:action AS text) IS NULL OR action = :action)
    AND (CAST(:before AS bigint) IS NULL OR id < :before)
ORDER BY id DESC LIMIT :limit
""")


# One look into the index for each campaign: one that is paused and resumed every minute has many lines.
_LAST_PAUSES = text("""
SELECT line.* FROM unnest(CAST(:targets AS text[])) AS paused (target)
CROSS JOIN LATERAL (
    SELECT id, at, who, action, target, why, before, after, result FROM audit
    WHERE audit.target = paused.target COLLATE "C" AND action = 'campaign.pause' AND result = 'done'
        AND before <> after
    ORDER BY id DESC LIMIT 1
) AS line
""")


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who did what, when and why; how it was before and after."""

    number: int
    at: datetime
    who: str
    action: str
    target: str | None
    why: str | None
    before: str | None
    after: str | None
    result: str


def audit_lines(  # noqa: PLR0913  # a filter each
    session: Session,
    workspace: int | None,
    limit: int,
    *,
    target: str | None = None,
    action: str | None = None,
    before: int | None = None,
) -> list[AuditLine]:
    """List what people did, newest first."""
    which = {"target": target, "action": action, "before": before}
    return [AuditLine(*row) for row in rows(session, _AUDIT, workspace=workspace, limit=limit, **which)]


def last_pauses(session: Session, campaigns: Sequence[str]) -> dict[str, AuditLine]:
    """Give, of campaigns that were paused, who did it last."""
    found = [AuditLine(*row) for row in rows(session, _LAST_PAUSES, targets=list(campaigns))]
    return {line.target: line for line in found if line.target}
