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
    if workspace is not None:
        query = query.where(col(columns.workspace_number) == workspace)
    return session.exec(query.with_for_update() if lock else query).one_or_none()
