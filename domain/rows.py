"""Rows of a bulk upsert: each judged alone, on its own content, then folded with its duplicates.

A bad row is data: it becomes a `RowError` and never fails its neighbours.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, NamedTuple, cast

from pydantic_core import to_json

from domain.email_address import normalise

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
    "invalid_character": "{field} contains the character NUL: remove it",
}


@dataclass(frozen=True, slots=True)
class RowError:
    """Why one row was not taken. `index` counts input rows from 0; `email` is as given, cut at 254."""

    index: int
    email: str | None
    field: str | None
    code: RowErrorCode
    message: str


class Duplicate(NamedTuple):
    """Input row `index` was folded into the row at `position` of the folded rows."""

    index: int
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
        super().__init__(_MESSAGES[code].format(field=field, expected=expected))
        self.code: RowErrorCode = code
        self.field = field


def fold(rows: Iterable[object]) -> FoldedRows:
    """Judge every row and fold rows of one email: for each key the last row that has it wins."""
    leads: dict[str, Given] = {}
    positions: dict[str, int] = {}
    duplicates: list[Duplicate] = []
    errors: list[RowError] = []
    good_names = set(STANDARD_FIELDS)
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
    return email[:MAX_EMAIL_CHARACTERS] if isinstance(email, str) else None


def _read_row(row: object, good_names: set[str]) -> tuple[str, Given]:
    """Give the normalised email and what the row says; `good_names` remembers names that passed."""
    if not isinstance(row, dict):
        raise _BadRow("invalid_type", "lead", "an object")
    given = cast("dict[str, Any]", row.copy())
    email = _read_email(given.pop("email", None))
    variables = len(given)
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
    if variables > MAX_VARIABLES:
        raise _BadRow("too_many_variables")
    if len(to_json(row)) > MAX_LEAD_BYTES:
        raise _BadRow("lead_too_large")
    return email, given


def _read_email(email: object) -> str:
    if email is None or email == "":
        raise _BadRow("missing_email", "email")
    if not isinstance(email, str):
        raise _BadRow("invalid_type", "email", "a string")
    if "\0" in email:
        raise _BadRow("invalid_character", "email")
    normalised = normalise(email)
    if normalised is None:
        raise _BadRow("invalid_email" if email.strip() else "missing_email", "email")
    return normalised


def _check_standard_field(field: str, value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise _BadRow("invalid_type", field, "a string or null")
    if value is not None and len(value) > MAX_STANDARD_FIELD_CHARACTERS:
        raise _BadRow("value_too_long", field, f"{MAX_STANDARD_FIELD_CHARACTERS:,} characters")


def _check_text(name: str, value: str) -> None:
    if "\0" in value:
        raise _BadRow("invalid_character", name)
    # A character is at most 4 bytes: most values need no encoding to be known short enough.
    if len(value) * 4 > MAX_VARIABLE_BYTES and len(value.encode()) > MAX_VARIABLE_BYTES:
        raise _BadRow("value_too_long", name, f"{MAX_VARIABLE_BYTES:,} bytes")


def _check_name(name: str) -> None:
    if "\0" in name:
        raise _BadRow("invalid_character", name.replace("\0", "")[:MAX_VARIABLE_NAME_CHARACTERS])
    if (
        not 1 <= len(name) <= MAX_VARIABLE_NAME_CHARACTERS
        or name != name.strip()
        or any(letter in "{}|" or ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in name)
    ):
        raise _BadRow("invalid_variable_name", name[:MAX_VARIABLE_NAME_CHARACTERS])


def _canonical_number(name: str, value: object) -> int | float:
    """Give a float that is whole as an integer: 1.0 and 1 are one JSON number, whoever stores it."""
    if not isinstance(value, float) or not isfinite(value):
        raise _BadRow("invalid_type", name, "a string, a finite number, a boolean or null")
    return int(value) if value.is_integer() else value
