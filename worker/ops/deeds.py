"""What a person does, committed together with the audit of it; what is refused is written down, too."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlmodel import Session

from domain.errors import InvalidRequest, Refusal
from worker.ops.door import Visit
from worker.store import auditing
from worker.store.auditing import Deed
from worker.store.connection import transaction

MAX_WHY_CHARACTERS = 500


@dataclass(slots=True)
class Line:
    """The line that the audit will have."""

    workspace: int
    action: str
    target: str | None = None
    why: str | None = None
    before: str | None = None
    after: str | None = None
    result: str = "done"

    @property
    def deed(self) -> Deed:
        """What is written."""
        return Deed(self.action, self.target, self.why, self.before, self.after, self.result)


@contextmanager
def audited(visit: Visit, action: str, target: str | None = None) -> Generator[tuple[Session, Line]]:
    """Do something and write who did it, in one transaction."""
    line = Line(visit.operator.own_workspace, action, target, visit.given("why")[:MAX_WHY_CHARACTERS] or None)
    try:
        with transaction() as session:
            yield session, line
            auditing.write(session, line.workspace, visit.operator.who, line.deed)
    except Refusal as refusal:
        line.result = f"refused: {refusal.code}"
        with transaction() as session:
            auditing.write(session, line.workspace, visit.operator.who, line.deed)
        raise


def demand_why(visit: Visit) -> str:
    """Give the reason that a form holds; without one nothing is done."""
    why = visit.given("why")[:MAX_WHY_CHARACTERS]
    if not why:
        raise InvalidRequest(reason="say why, so that whoever reads the audit knows")
    return why
