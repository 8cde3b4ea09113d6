"""The header of a CSV file: which column is which field of a lead."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from domain.email_address import trim
from domain.rows import STANDARD_FIELDS, is_variable_name
from worker.cli.failures import CommandFailed

# What a header says, without case and punctuation. Few names, and the mapping is shown: a wrong guess would go out in
# messages.
_FIELDS = {
    "email": "email",
    "emailaddress": "email",
    "firstname": "firstName",
    "givenname": "firstName",
    "company": "company",
    "companyname": "company",
    "jobtitle": "jobTitle",
    "title": "jobTitle",
}
_SHOWN = 50  # columns and characters of a header that is no header
KNOWN_FIELDS = ("email", *STANDARD_FIELDS)


class Column(NamedTuple):
    """A column: its header, trimmed, and the key its cells get in a lead; None: it has no name and is left out."""

    header: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Header:
    """The columns in order; one of them is `email`."""

    columns: Sequence[Column]

    def lead(self, cells: Sequence[str]) -> dict[str, str]:
        """Make a lead of a row. An empty cell says nothing: a CSV cannot tell `""` from absent, and has no null."""
        return {column.key: cell for column, cell in zip(self.columns, cells, strict=False) if column.key and cell}


def has_email(cells: Iterable[str]) -> bool:
    """Tell whether one of these headers is the email column."""
    return any(key_of(trim(cell)) == "email" for cell in cells)


def key_of(header: str) -> str | None:
    """Give the field that a header means, or the header itself: the name of a custom variable."""
    letters = "".join(filter(str.isalnum, header)).casefold()
    return _FIELDS.get(letters, header) or None


def read_header(cells: Sequence[str]) -> Header:
    """Map the columns; `CommandFailed` when there is no email, or when it is unclear what a column means."""
    columns = [Column(header, key_of(header)) for header in map(trim, cells)]
    _refuse_no_email(columns)
    _refuse_doubles(columns)
    _refuse_unusable_names(columns)
    return Header(columns)


def _refuse_no_email(columns: Sequence[Column]) -> None:
    if all(column.key != "email" for column in columns):
        seen = ", ".join(repr(column.header[:_SHOWN]) for column in columns[:_SHOWN])
        raise CommandFailed(f"there is no email column: name it `email` in the first line, which has {seen}")


def _refuse_doubles(columns: Sequence[Column]) -> None:
    # Refused, not chosen: of "Title" and "Job Title" either may be the one that is meant to go out.
    seen: dict[str, str] = {}
    for header, key in columns:
        if key in seen:
            raise CommandFailed(f"the columns {seen[key]!r} and {header!r} both mean {key}: rename or remove one")
        if key is not None:
            seen[key] = header


def _refuse_unusable_names(columns: Sequence[Column]) -> None:
    for header, key in columns:
        if key is not None and not is_variable_name(key):
            raise CommandFailed(
                f"the column {header[:_SHOWN]!r} cannot be a variable: its name must have 1 to 64 characters, "
                "none of { } | or control characters"
            )
