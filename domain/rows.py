"""Rows of a bulk upsert: each judged alone, on its own content, then folded with its duplicates.

A bad row is data: it becomes a `RowError` and never fails its neighbours.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any, Literal, NamedTuple, cast

from pydantic_core import PydanticSerializationError, to_json

from domain.email_address import normalise, trim

Value = str | int | float | bool | None
Given = dict[str, Value]
"""What a row says about a lead, keyed by field or variable name, `email` left out. None clears."""

RowErrorCode = Literal[
    "missing_email",
    "invalid_email",
    "invalid_type",
    "invalid_variable_name",
    "too_many_variables",
    "value_too_long",
    "lead_too_large",
    "invalid_character",
]

STANDARD_FIELDS = ("firstName", "company", "jobTitle")
MAX_STANDARD_FIELD_CHARACTERS = 1_000
MAX_VARIABLES = 200
MAX_VARIABLE_NAME_CHARACTERS = 64
MAX_VARIABLE_BYTES = 8 * 1024
MAX_LEAD_BYTES = 64 * 1024
MAX_EMAIL_CHARACTERS = 254

_MESSAGES: dict[RowErrorCode, str] = {
    "missing_email": "email is required: give the lead's address",
    "invalid_email": "email is not an address such as name@example.com",
    "invalid_type": "{field} must be {expected}",
    "invalid_variable_name": "a variable name has 1 to 64 characters, none of {{ }} | or control characters, "
    "and no outer blanks",
    "too_many_variables": f"a lead has at most {MAX_VARIABLES} custom variables",
    "value_too_long": "{field} has at most {expected}",
    "lead_too_large": f"a lead has at most {MAX_LEAD_BYTES:,} bytes as JSON",
    "invalid_character": "{field} contains NUL or half a character (a lone surrogate): remove it",
}

is_variable_name = re.compile(rf"(?!\s)[^{{}}|\x00-\x1f\x7f-\x9f]{{1,{MAX_VARIABLE_NAME_CHARACTERS}}}(?<!\s)").fullmatch
"""Whether a custom variable may have this name, and so whether `{{name}}` is a token."""

# What PostgreSQL and UTF-8 cannot hold. A JSON text has no lone surrogate once it is read; a Python list may.
_unstorable = re.compile(r"[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class RowError:
    """Why one row was not taken. `index` counts input rows from 0; `email` is as given, cut at 254.

    What PostgreSQL cannot hold (NUL, lone surrogates) shows as U+FFFD in `email`, `field` and `message`.
    """

    index: int
    email: str | None
    field: str | None
    code: RowErrorCode
    message: str


class Duplicate(NamedTuple):
    """Input row number `row` was folded into the row at `position` of the folded rows."""

    row: int
    position: int


@dataclass(frozen=True, slots=True)
class FoldedRows:
    """The rows of one request: what to merge, keyed by normalised email in input order, and what not."""

    received: int
    leads: dict[str, Given]
    duplicates: list[Duplicate]
    errors: list[RowError]


class _BadRow(Exception):
    def __init__(self, code: RowErrorCode, field: str | None = None, expected: str = "") -> None:
        self.code: RowErrorCode = code
        self.field = None if field is None else _shown(field, MAX_VARIABLE_NAME_CHARACTERS)
        super().__init__(_MESSAGES[code].format(field=self.field, expected=expected))


def fold(rows: Iterable[object]) -> FoldedRows:
    """Judge every row and fold rows of one email: for each key the last row that has it wins."""
    leads: dict[str, Given] = {}
    positions: dict[str, int] = {}
    duplicates: list[Duplicate] = []
    errors: list[RowError] = []
    good_names = set[str](STANDARD_FIELDS)
    index = -1
    for index, row in enumerate(rows):
        try:
            email, given = _read_row(row, good_names)
        except _BadRow as bad:
            errors.append(RowError(index, _email_as_given(row), bad.field, bad.code, str(bad)))
            continue
        if email in leads:
            leads[email].update(given)
            duplicates.append(Duplicate(index, positions[email]))
        else:
            positions[email] = len(leads)
            leads[email] = given
    return FoldedRows(index + 1, leads, duplicates, errors)


def _email_as_given(row: object) -> str | None:
    email = cast("dict[str, object]", row).get("email") if isinstance(row, dict) else None
    return _shown(email, MAX_EMAIL_CHARACTERS) if isinstance(email, str) else None


def _shown(text: str, characters: int) -> str:
    return _unstorable.sub("\ufffd", text[:characters])


def _read_row(row: object, good_names: set[str]) -> tuple[str, Given]:
    """Give the normalised email and what the row says; `good_names` remembers names that passed."""
    if not isinstance(row, dict):
        raise _BadRow("invalid_type", "lead", "an object")
    said = cast("dict[str, Any]", row)
    given = said.copy()
    email = _read_email(given.pop("email", None))
    variables, has_floats = len(given), False
    for field in STANDARD_FIELDS:
        if field in given:
            variables -= 1
            _check_standard_field(field, given[field])
    for name, value in given.items():
        if name not in good_names:
            _check_name(name)
            good_names.add(name)
        if type(value) is str:
            _check_text(name, value)
        elif value is not None and type(value) is not int and type(value) is not bool:
            given[name] = _canonical_number(name, value)
            has_floats = True
    if variables > MAX_VARIABLES:
        raise _BadRow("too_many_variables")
    _check_size(said)
    if has_floats:
        _check_size(given)  # 1e308 is five bytes as it is given, and 309 as it is kept
    return email, given


def _read_email(email: object) -> str:
    if email is None or email == "":
        raise _BadRow("missing_email", "email")
    if not isinstance(email, str):
        raise _BadRow("invalid_type", "email", "a string")
    normalised = normalise(email)
    if normalised is None:
        raise _BadRow(_fault_of(email), "email")
    return normalised


def _fault_of(email: str) -> RowErrorCode:
    if _unstorable.search(email):
        return "invalid_character"
    return "invalid_email" if trim(email) else "missing_email"


def _check_standard_field(field: str, value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise _BadRow("invalid_type", field, "a string or null")
    if value is not None and len(value) > MAX_STANDARD_FIELD_CHARACTERS:
        raise _BadRow("value_too_long", field, f"{MAX_STANDARD_FIELD_CHARACTERS:,} characters")


def _check_text(name: str, value: str) -> None:
    if "\0" in value:
        raise _BadRow("invalid_character", name)
    # A character is at most 4 bytes: most values need no encoding to be known short enough.
    if len(value) * 4 > MAX_VARIABLE_BYTES and len(value.encode(errors="surrogatepass")) > MAX_VARIABLE_BYTES:
        raise _BadRow("value_too_long", name, f"{MAX_VARIABLE_BYTES:,} bytes")


def _check_name(name: str) -> None:
    if _unstorable.search(name):
        raise _BadRow("invalid_character", name)
    if not is_variable_name(name):
        raise _BadRow("invalid_variable_name", name)


def _check_size(row: dict[str, Any]) -> None:
    try:
        size = len(to_json(row))
    except PydanticSerializationError:
        texts = ((name, value) for name, value in row.items() if isinstance(value, str))
        raise _BadRow("invalid_character", next(name for name, text in texts if _unstorable.search(text))) from None
    if size > MAX_LEAD_BYTES:
        raise _BadRow("lead_too_large")


def _canonical_number(name: str, value: object) -> int | float:
    """Give a float that is whole as an integer: 1.0 and 1 are one JSON number, whoever stores it.

    Large ones as they are written: 1e23 is 10**23 to PostgreSQL and to RFC 8785, though the nearest double is less.
    """
    if not isinstance(value, float) or not isfinite(value):
        raise _BadRow("invalid_type", name, "a string, a finite number, a boolean or null")
    return int(Decimal(repr(value))) if value.is_integer() else value
