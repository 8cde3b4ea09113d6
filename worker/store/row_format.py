r"""The bytes of a job: folded rows as lines that PostgreSQL takes apart by itself, made once when a job is accepted.

A line is: position, email, given, first_name, company, job_title, custom_variables (JSON), with tabs in between.
`given` says which columns the row speaks about, so that an absent key and a null one differ and the common line needs
no `\N`. A backslash, tab or line feed in a value is `\s`, `\t` or `\n`: no backslash stands before another one, so that
three replacements read it back.

They were once what COPY takes, and went through the worker into a temporary table: as fast for thousands of rows, but
for a single one making and dropping the table took 7 ms of 19.
"""

from collections.abc import Mapping
from enum import IntFlag

from pydantic_core import to_json

from domain.rows import Given, Value


class Gives(IntFlag):
    """What the row of a lead speaks about; the merge statement reads these bits."""

    FIRST_NAME = 1
    COMPANY = 2
    JOB_TITLE = 4
    VARIABLES = 8
    CLEARED_VARIABLES = 16


_STANDARD = (
    ("firstName", Gives.FIRST_NAME.value),
    ("company", Gives.COMPANY.value),
    ("jobTitle", Gives.JOB_TITLE.value),
)
_VARIABLES = Gives.VARIABLES.value
_CLEARED = Gives.CLEARED_VARIABLES.value
_ESCAPES = str.maketrans({"\\": "\\s", "\t": "\\t", "\n": "\\n"})
_SEPARATORS = 6


def encode(leads: Mapping[str, Given]) -> bytes:
    """Give the lines of the folded rows, in order."""
    return "".join([_line(position, email, row) for position, (email, row) in enumerate(leads.items())]).encode()


def emails_of(rows: bytes) -> list[str]:
    """Read the addresses back, in order. No address holds what the format escapes."""
    return [line.split(b"\t", 2)[1].decode() for line in rows.split(b"\n")[:-1]]


def _line(position: int, email: str, row: Given) -> str:
    given = 0
    columns: list[Value] = []
    variables = row.copy()
    for field, bit in _STANDARD:
        if field in variables:
            given |= bit
            columns.append(variables.pop(field))
        else:
            columns.append("")
    if variables:
        given |= _VARIABLES | (_CLEARED if None in variables.values() else 0)
    return _joined(f"{position}\t{email}\t{given}", columns, to_json(variables).decode())


def _joined(head: str, columns: list[Value], variables: str) -> str:
    if None not in columns:
        line = f"{head}\t{columns[0]}\t{columns[1]}\t{columns[2]}\t{variables}\n"
        # Most lines hold nothing to escape: looking at the whole line is cheaper than at each value.
        if "\\" not in line and line.count("\t") == _SEPARATORS and line.count("\n") == 1:
            return line
    escaped = "\t".join("\\N" if value is None else str(value).translate(_ESCAPES) for value in columns)
    return f"{head}\t{escaped}\t{variables.translate(_ESCAPES)}\n"
