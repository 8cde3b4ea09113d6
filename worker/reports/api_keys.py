"""API keys as people see them: everything but the key."""

from sqlmodel import col, select

from domain.api_key import Scope
from worker.reports.shapes import Shape, Time
from worker.store.connection import transaction
from worker.store.door_tables import ApiKeyRow
from worker.store.tables import Workspace


class KeyReport(Shape):
    """A key to the API."""

    id: str
    workspace: str
    name: str
    scopes: list[Scope]
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None


def list_keys(limit: int, workspace: str | None = None) -> list[KeyReport]:
    """List the keys of a workspace, or of all, newest first."""
    query = select(ApiKeyRow, col(Workspace.name)).join(
        Workspace, col(Workspace.number) == col(ApiKeyRow.workspace_number)
    )
    if workspace is not None:
        query = query.where(col(Workspace.name) == workspace)
    with transaction() as session:
        found = session.exec(query.order_by(col(ApiKeyRow.number).desc()).limit(limit))
        return [report(row, name) for row, name in found]


def report(row: ApiKeyRow, workspace: str) -> KeyReport:
    """Show a key."""
    return KeyReport(
        id=row.public_id,
        workspace=workspace,
        name=row.name,
        scopes=row.scopes,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
