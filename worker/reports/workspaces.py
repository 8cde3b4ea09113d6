"""Workspaces as people see them."""

from sqlmodel import col, select

from worker.reports.shapes import Shape, Time
from worker.store.connection import transaction
from worker.store.tables import Workspace


class WorkspaceReport(Shape):
    """A tenant."""

    id: str
    name: str
    created_at: Time

    @classmethod
    def of(cls, workspace: Workspace) -> "WorkspaceReport":
        """Show a workspace."""
        return cls(id=workspace.public_id, name=workspace.name, created_at=workspace.created_at)


def list_workspaces(limit: int) -> list[WorkspaceReport]:
    """List the workspaces, newest first."""
    with transaction() as session:
        found = session.exec(select(Workspace).order_by(col(Workspace.number).desc()).limit(limit))
        return [WorkspaceReport.of(workspace) for workspace in found]
