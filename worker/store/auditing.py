"""The audit: written in the transaction of what it tells, or, of what was refused, by itself."""

from dataclasses import asdict, dataclass

from sqlalchemy import text
from sqlmodel import Session

from worker.observability import record
from worker.store.connection import after_commit
from worker.store.trouble import storable

COMMAND_LINE = "cli"
"""Who acts without a key: whoever may use `enroll` on this machine."""

_WRITE = text("""
INSERT INTO audit (workspace_id, who, action, target, why, before, after, result)
VALUES (:workspace, :who, :action, :target, :why, :before, :after, :result)
""")


@dataclass(slots=True)
class Deed:
    """What a person did in a workspace, to what, and why; how it was before and after."""

    workspace: int
    action: str
    target: str | None = None
    why: str | None = None
    before: str | None = None
    after: str | None = None
    result: str = "done"


def write(session: Session, who: str, deed: Deed) -> None:
    """Write one line."""
    said = asdict(deed)
    texts = {name: storable(said[name]) for name in ("action", "target", "why", "before", "after", "result")}
    session.connection().execute(_WRITE, {"workspace": deed.workspace, "who": storable(who), **texts})
    after_commit(session, record.operator_acted, deed.action, deed.result.partition(":")[0])
