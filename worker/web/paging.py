"""Lists in parts: an opaque cursor says where the next part begins."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from domain.errors import InvalidRequest
from domain.identifiers import row_key
from worker.reports.shapes import DEFAULT_LIMIT, MAX_LIMIT
from worker.web.shapes import Page

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=1_000, description="`nextCursor` of the part before.")]

__all__ = ["DEFAULT_LIMIT", "Cursor", "Limit", "number_of", "page", "position_of", "text_of"]


def page(found: Sequence[T], limit: int, position: Callable[[T], str]) -> Page[T]:
    """Make a page of one more than `limit` items, which tells whether there are more."""
    shown = found[:limit]
    more = len(found) > limit
    return Page(data=list(shown), next_cursor=_encode(position(shown[-1])) if more else None)


def number_of(cursor: str | None, prefix: str) -> int | None:
    """Read a cursor that holds a public id; give the number in it."""
    if cursor is None:
        return None
    key = row_key(prefix, _decode(cursor))
    if key is None:
        raise _not_ours()
    return key.number


def position_of(cursor: str | None) -> int:
    """Read a cursor that holds a place in a list; 0 without one."""
    text = "0" if cursor is None else _decode(cursor)
    if not (text.isdecimal() and text.isascii() and len(text) <= 9):  # noqa: PLR2004  # no list is longer
        raise _not_ours()
    return int(text)


def text_of(cursor: str | None) -> str:
    """Read a cursor that holds a text; empty without one."""
    return "" if cursor is None else _decode(cursor)


def _encode(position: str) -> str:
    return urlsafe_b64encode(position.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        text = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (NotBase64, UnicodeError):
        raise _not_ours() from None
    if "\0" in text:
        raise _not_ours()
    return text


def _not_ours() -> InvalidRequest:
    return InvalidRequest(reason="cursor is none that was given out: start again without it")
