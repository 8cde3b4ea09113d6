"""The bodies of answers: one thing in `data`, or a list with where it goes on."""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from domain.rows import RowError

T = TypeVar("T")


class _CamelCase(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Data(_CamelCase, Generic[T]):
    """A success."""

    data: T


class Page(_CamelCase, Generic[T]):
    """A part of a list; `nextCursor` leads to the next part, null ends it."""

    data: list[T]
    next_cursor: str | None


class Accepted(_CamelCase):
    """A job that is committed and not applied yet."""

    job_id: str
    status: Literal["accepted"] = "accepted"
    received: int
    errors: list[RowError]
