"""Lists: a filter that is in the address, the rows it names, and how many there are, of one moment.

The number on one page and the list on another come from the same filter, so that they are equal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import text
from sqlmodel import Session

from worker.reports.ops.snapshot import COUNTED_TO, one, rows

T = TypeVar("T")

PAGE_ROWS = 50
_NOW = text("SELECT now()")


Condition = tuple[str, dict[str, object]]


def when(asked: object, sql: str, **parameters: object) -> Condition | None:
    """Give a condition if it is asked for."""
    return (sql, parameters) if asked else None


def of_class(column: str, error_class: str | None) -> Condition | None:
    """Give the condition that an error is of a class, read as `domain.failure` reads it, if it is asked for."""
    told = rf"substring({column} FROM '^([A-Z]\w*(?:\.\w+)*): ')"
    unnamed = f"CASE WHEN {column} IS NULL THEN 'Unknown' ELSE 'Error' END"
    return when(error_class, f"coalesce({told}, {unnamed}) = :error_class", error_class=error_class)


@dataclass(frozen=True, slots=True)
class Where:
    """A condition, with its parameters."""

    sql: str
    parameters: dict[str, object]

    @classmethod
    def all_of(cls, *conditions: Condition | None) -> "Where":
        """Join the conditions that are asked for."""
        asked = [condition for condition in conditions if condition is not None]
        parameters = {name: value for _, given in asked for name, value in given.items()}
        return cls(" AND ".join(sql for sql, _ in asked) or "true", parameters)


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A part of a list. `total` goes to `bound` and one more; `older`: where the next part begins."""

    rows: Sequence[T]
    total: int
    at: datetime
    older: int | None
    bound: int = COUNTED_TO


@dataclass(frozen=True, slots=True)
class Source:
    """Where a list comes from. `number`: what it is ordered by, the greatest first."""

    select: str
    tables: str
    number: str


def listing(  # noqa: PLR0913, PLR0917  # what a list is made of
    session: Session,
    source: Source,
    where: Where,
    make: Callable[[Any], T],
    before: int | None = None,
    bound: int = COUNTED_TO,
) -> Listing[T]:
    """Read a part of a list, and count the whole as far as `bound`."""
    older = f"AND {source.number} < :before" if before is not None else ""
    statement = (
        f"SELECT {source.number} AS number, {source.select} FROM {source.tables} WHERE {where.sql} {older}"  # noqa: S608  # our own text
        f" ORDER BY {source.number} DESC LIMIT :limit"
    )
    limits = {"limit": PAGE_ROWS + 1, **({"before": before} if before is not None else {})}
    found = rows(session, text(statement), **where.parameters, **limits)
    shown = found[:PAGE_ROWS]
    return Listing(
        rows=[make(row) for row in shown],
        total=count(session, source, where, bound),
        at=one(session, _NOW)[0],
        older=shown[-1].number if len(found) > PAGE_ROWS else None,
        bound=bound,
    )


def count(session: Session, source: Source, where: Where, bound: int = COUNTED_TO) -> int:
    """Count to `bound` and one more."""
    bounded = f"SELECT count(*) FROM (SELECT FROM {source.tables} WHERE {where.sql} LIMIT :bound) AS bounded"  # noqa: S608  # our own text
    return int(one(session, text(bounded), **where.parameters, bound=bound + 1)[0])
