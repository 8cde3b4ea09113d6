"""Rows found by their public ids."""

from typing import Any, TypeVar, cast

from sqlalchemy import func
from sqlmodel import Session, SQLModel, col, select

from domain.identifiers import RowKey

Row = TypeVar("Row", bound=SQLModel)


def find(
    session: Session, table: type[Row], key: RowKey | None, *, workspace: int | None = None, lock: bool = False
) -> Row | None:
    """Read the row that a public id says, if there is one and it belongs to the workspace (None: to any)."""
    if key is None:
        return None
    columns = cast("Any", table)
    created_at = func.date_trunc("milliseconds", col(columns.created_at))
    query = select(table).where(col(columns.number) == key.number, created_at == key.created_at)
    # FOR NO KEY UPDATE: FOR UPDATE would wait for the foreign keys of jobs being accepted, and they keep overtaking it
    # (a pause took 16 s under 24 clients; this way 0.03 s). Release, which reads FOR SHARE, waits for both.
    if workspace is not None:
        query = query.where(col(columns.workspace_number) == workspace)
    return session.exec(query.with_for_update(key_share=True) if lock else query).one_or_none()
