"""What the shapes have in common: camelCase keys, times in UTC, lists that end."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000


class Shape(BaseModel):
    """A thing as people see it, whichever door they look through."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def _in_utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


Time = Annotated[datetime, AfterValidator(_in_utc)]
"""A time with its zone, in JSON as ISO 8601 UTC with `Z`."""
