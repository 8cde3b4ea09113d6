"""The header of a table: which column is which field of a lead."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from domain.email_address import trim
from domain.errors import InvalidRequest
from domain.rows import STANDARD_FIELDS, is_variable_name
from worker.files.records import UnusableFile

KNOWN_FIELDS = ("email", *STANDARD_FIELDS)

# What a header says, without case and punctuation: the names that the exports of HubSpot, Apollo, Clay and LinkedIn
# use, and few others. What is no guess stays a custom variable: a wrong guess would go out in messages.
_FIELDS = {
    "email": "email",
    "emailaddress": "email",
    "workemail": "email",
    "businessemail": "email",
    "contactemail": "email",
    "firstname": "firstName",
    "givenname": "firstName",
    "company": "company",
    "companyname": "company",
    "companynameforemails": "company",
    "jobtitle": "jobTitle",
    "title": "jobTitle",
    "position": "jobTitle",
}
# Apollo has both: the name in the register, and the one that people use.
_MORE_SPECIFIC = {"companynameforemails"}

_GIVEN, _SPECIFIC, _GUESSED = 3, 2, 1
_SHOWN = 50  # columns and characters of a header that is no header
_REMEDY = 'say what is meant with map, as in map="{header}:{field}", or leave one out with map="{header}:"'

Mapped = Mapping[str, str | None]
"""What the caller says that columns mean, by their headers in lower case; None leaves a column out."""


class Column(NamedTuple):
    """A column: its header, trimmed, and the key its cells get in a lead; None: it is left out."""

    header: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Header:
    """The columns in order; one of them is `email`."""

    columns: Sequence[Column]

    def lead(self, cells: Sequence[str]) -> dict[str, str]:
        """Make a lead of a row. A blank cell says nothing: a table cannot tell `""` from absent, and has no null."""
        return {
            column.key: cell
            for column, cell in zip(self.columns, cells, strict=False)
            if column.key and cell and not cell.isspace()
        }


def read_map(given: Iterable[str]) -> Mapped:
    """Read `Column:field` and `Column:`; `InvalidRequest` when one is none, or a column is named twice."""
    pairs = [_read_pair(pair) for pair in given]
    twice = [column for column, count in Counter(column for column, _ in pairs).items() if count > 1]
    if twice:
        raise InvalidRequest(reason=f"map names the column {twice[0][:_SHOWN]!r} twice")
    return dict(pairs)


def has_email(cells: Iterable[str], mapped: Mapped) -> bool:
    """Tell whether one of these headers is the email column."""
    return any(_meaning(trim(cell), mapped)[0] == "email" for cell in cells)


def read_header(cells: Sequence[str], mapped: Mapped) -> Header:
    """Map the columns; `UnusableFile` when there is no email, or when it is unclear what a column means."""
    headers = [trim(cell) for cell in cells]
    _refuse_absent(headers, mapped)
    columns = _without_the_less_specific(headers, mapped)
    _refuse_no_email(columns)
    _refuse_doubles(columns)
    _refuse_unusable_names(columns)
    return Header(columns)


def _read_pair(pair: str) -> tuple[str, str | None]:
    # The last colon: a header may hold one, as those of HubSpot do.
    column, colon, field = pair.rpartition(":")
    column, field = trim(column), trim(field)
    if not colon or not column:
        raise InvalidRequest(reason=f'map must be "Column:field", or "Column:" to leave one out, not {pair[:_SHOWN]!r}')
    known = {_letters(name): name for name in KNOWN_FIELDS}.get(_letters(field), field)
    if known and not is_variable_name(known):
        raise InvalidRequest(reason=f"map cannot make a variable {field[:_SHOWN]!r} of {column[:_SHOWN]!r}: {_A_NAME}")
    return column.casefold(), known or None


def _meaning(header: str, mapped: Mapped) -> tuple[str | None, int]:
    """Give the key of a column, and how sure that is: a custom variable of its own name is no guess at all."""
    if header.casefold() in mapped:
        return mapped[header.casefold()], _GIVEN
    letters = _letters(header)
    if letters in _FIELDS:
        return _FIELDS[letters], _SPECIFIC if letters in _MORE_SPECIFIC else _GUESSED
    return header or None, 0


def _letters(header: str) -> str:
    return "".join(filter(str.isalnum, header)).casefold()


def _without_the_less_specific(headers: Sequence[str], mapped: Mapped) -> list[Column]:
    """Of the guesses for one field keep the surest; the others become variables of their own names."""
    meanings = [_meaning(header, mapped) for header in headers]
    surest: dict[str | None, int] = {}
    for key, sure in meanings:
        surest[key] = max(sure, surest.get(key, 0))
    return [
        Column(header, _own_name(header) if 0 < sure < surest[key] else key)
        for header, (key, sure) in zip(headers, meanings, strict=True)
    ]


def _own_name(header: str) -> str | None:
    return None if header in KNOWN_FIELDS else header


def _refuse_absent(headers: Sequence[str], mapped: Mapped) -> None:
    there = {header.casefold() for header in headers}
    for column in mapped:
        if column not in there:
            raise UnusableFile(reason=f"map names a column {column[:_SHOWN]!r}, the first line has {_seen(headers)}")


def _refuse_no_email(columns: Sequence[Column]) -> None:
    if all(column.key != "email" for column in columns):
        seen = _seen([column.header for column in columns])
        remedy = 'or say which it is with map="Column:email"'
        raise UnusableFile(
            reason=f"there is no email column: name it `email` in the first line, which has {seen}, {remedy}"
        )


def _refuse_doubles(columns: Sequence[Column]) -> None:
    # Refused, not chosen: of "Title" and "Job Title" either may be the one that is meant to go out.
    seen: dict[str, str] = {}
    for header, key in columns:
        if key in seen:
            remedy = _REMEDY.format(header=header[:_SHOWN], field=key)
            raise UnusableFile(
                reason=f"the columns {seen[key][:_SHOWN]!r} and {header[:_SHOWN]!r} both mean {key}: {remedy}"
            )
        if key is not None:
            seen[key] = header


_A_NAME = "a name has 1 to 64 characters, none of { } | or control characters"


def _refuse_unusable_names(columns: Sequence[Column]) -> None:
    for header, key in columns:
        if key is not None and not is_variable_name(key):
            remedy = _REMEDY.format(header=header[:_SHOWN], field="name")
            raise UnusableFile(reason=f"the column {header[:_SHOWN]!r} cannot be a variable ({_A_NAME}): {remedy}")


def _seen(headers: Sequence[str]) -> str:
    return ", ".join(repr(header[:_SHOWN]) for header in headers[:_SHOWN])
