"""A bulk upsert: the request as it arrives at any door, its limits, and the answer.

JSON parsers disagree about NaN, endless numbers, deep nesting and lone surrogates. One parser and the checks
of this module give one verdict at every door.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from domain.errors import InvalidRequest, PayloadTooLarge
from domain.rows import RowError

MAX_DEPTH = 64
MAX_NUMBER_DIGITS = 4_000
_Nesting = dict[str, object] | list[object]
_NUMBER_CHARACTERS_AS_ZERO = bytes.maketrans(b"123456789.eE+-", b"0" * 14)
_ENDLESS_NUMBER = b"0" * (MAX_NUMBER_DIGITS + 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may hold; both are settings."""

    max_leads: int = 10_000
    max_body_bytes: int = 10 * 1024 * 1024


class BulkUpsertCounts(BaseModel):
    """The counts of an applied job.

    Always: received = created + updated + duplicates + skipped + number of errors. `unchanged` are those of
    `updated` whose stored values did not differ.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    received: int
    created: int
    updated: int
    unchanged: int
    enrolled: int
    duplicates: int
    skipped: int
    errors: int

    @property
    def adds_up(self) -> bool:
        """Whether every received row is accounted for."""
        return self.received == self.created + self.updated + self.duplicates + self.skipped + self.errors


class BulkUpsertAnswer(BaseModel):
    """What the caller of a bulk upsert is told once its job is applied; a dry run makes no job."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    created: int
    updated: int
    enrolled: int
    errors: list[RowError]
    job_id: str | None
    received: int
    unchanged: int
    duplicates: int
    skipped: int


def leads_of_body(body: bytes, limits: Limits) -> list[object]:
    """Read `{"leads": [...]}`, the body of the HTTP call."""
    document = read_json(body, limits)
    leads = cast("dict[str, object]", document).get("leads") if isinstance(document, dict) else None
    if not isinstance(leads, list):
        raise InvalidRequest(reason='the body must be an object with a list named "leads"')
    return _limited(cast("list[object]", leads), limits)


def leads_of_list(text: bytes, limits: Limits) -> list[object]:
    """Read `[...]`, the form in which messages carry leads."""
    document = read_json(text, limits, depth_above=1)
    if not isinstance(document, list):
        raise InvalidRequest(reason="leads must be a JSON array")
    return _limited(cast("list[object]", document), limits)


def read_json(text: bytes, limits: Limits, depth_above: int = 0) -> object:
    """Read any JSON document, by the rules that hold for all; `depth_above`: the levels of what it is a part of."""
    if len(text) > limits.max_body_bytes:
        raise PayloadTooLarge(size=f"{len(text):,}", unit="bytes", limit=f"{limits.max_body_bytes:,}")
    _refuse_endless_numbers(text)
    try:
        document = from_json(text, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise InvalidRequest(reason=f"not JSON: {error}") from None
    # Only a text with more brackets than the deepest allowed nesting can nest deeper.
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH - depth_above:
        _refuse_deep_nesting(document, depth_above)
    return document


def _limited(leads: list[object], limits: Limits) -> list[object]:
    if not leads:
        raise InvalidRequest(reason="leads is empty: send at least one lead")
    if len(leads) > limits.max_leads:
        raise PayloadTooLarge(size=f"{len(leads):,}", unit="leads", limit=f"{limits.max_leads:,}")
    return leads


def _refuse_endless_numbers(text: bytes) -> None:
    # Parsers turn a float of any length into an ordinary one, so its length can only be seen before. Searching
    # the translated bytes costs 0.1 µs a lead; strings of digits are told apart only where something was found.
    if _ENDLESS_NUMBER not in text.translate(_NUMBER_CHARACTERS_AS_ZERO):
        return
    try:
        json.loads(text, parse_int=_refuse_if_endless, parse_float=_refuse_if_endless)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(reason=f"not JSON: {error}") from None


def _refuse_if_endless(number: str) -> None:
    if len(number) - sum(map(number.count, "-+.eE")) > MAX_NUMBER_DIGITS:
        raise InvalidRequest(reason=f"a number has more than {MAX_NUMBER_DIGITS:,} digits")


def _refuse_deep_nesting(document: object, depth_above: int) -> None:
    # Level by level and only what nests: 0.3 µs a lead of seven values, where a walk to each value took 0.9.
    level = _nesting([document])
    for _ in range(MAX_DEPTH - depth_above):
        level = [inner for outer in level for inner in _nesting(_children(outer))]
    if level:
        raise InvalidRequest(reason=f"nested deeper than {MAX_DEPTH} levels")


def _nesting(values: Iterable[object]) -> list[_Nesting]:
    return [value for value in values if isinstance(value, dict | list)]


def _children(value: _Nesting) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value
