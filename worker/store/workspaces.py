"""Workspaces: the tenants."""

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from domain.errors import NameTaken, WorkspaceNotFound
from worker.store.connection import transaction
from worker.store.tables import Workspace

DEFAULT_WORKSPACE = "default"


def create_workspace(name: str) -> Workspace:
    """Create a workspace; names are unique."""
    try:
        with transaction() as session:
            workspace = Workspace(name=name)
            session.add(workspace)
            session.flush()
            session.refresh(workspace)
    except IntegrityError:
        raise NameTaken(name=name) from None
    return workspace


def find_workspace(session: Session, name: str) -> Workspace:
    """Read a workspace by its name."""
    found = session.exec(select(Workspace).where(col(Workspace.name) == name)).one_or_none()
    if found is None:
        raise WorkspaceNotFound(name=name)
    return found
