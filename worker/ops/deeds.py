"""What a person does, committed together with the audit of it; what is refused is written down, too."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlmodel import Session

from domain.errors import InvalidRequest, Refusal
from worker.ops.door import Visit
from worker.store import auditing
from worker.store.auditing import Deed
from worker.store.connection import transaction

MAX_WHY_CHARACTERS = 500


@contextmanager
def audited(visit: Visit, action: str, target: str | None = None) -> Generator[tuple[Session, Deed]]:
    """Do something and write who did it, in one transaction; whoever does it completes the line that is written."""
    why = visit.given("why")[:MAX_WHY_CHARACTERS] or None
    line = Deed(visit.operator.own_workspace, action, target, why)
    try:
        with transaction() as session:
            yield session, line
            auditing.write(session, visit.operator.who, line)
    except Refusal as refusal:
        line.result = f"refused: {refusal.code}"
        with transaction() as session:
            auditing.write(session, visit.operator.who, line)
        raise


def demand_why(visit: Visit) -> str:
    """Give the reason that a form holds; without one nothing is done."""
    why = visit.given("why")[:MAX_WHY_CHARACTERS]
    if not why:
        raise InvalidRequest(reason="say why, so that whoever reads the audit knows")
    return why
