r"""The bytes that COPY takes: folded rows in PostgreSQL's text format, made once when a job is accepted.

Text, not CSV: before PostgreSQL 18 a quoted value with a line `\.` ends a CSV early. A line is: position, email,
given, first_name, company, job_title, custom_variables. `given` says which columns the row speaks about, so that
an absent key and a null one differ and the common line needs no `\N`.
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


COLUMNS = ("position", "email", "given", "first_name", "company", "job_title", "custom_variables")

_STANDARD = (
    ("firstName", Gives.FIRST_NAME.value),
    ("company", Gives.COMPANY.value),
    ("jobTitle", Gives.JOB_TITLE.value),
)
_VARIABLES = Gives.VARIABLES.value
_CLEARED = Gives.CLEARED_VARIABLES.value
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_SEPARATORS = len(COLUMNS) - 1


def encode(leads: Mapping[str, Given]) -> bytes:
    """Give the lines of the folded rows, in order."""
    return "".join([_line(position, email, row) for position, (email, row) in enumerate(leads.items())]).encode()


def emails_of(rows: bytes) -> list[str]:
    """Read the addresses back, in order. No address holds what the format escapes."""
    return [line.split(b"\t", 2)[1].decode() for line in rows.split(b"\n")[:-1]]


def of_job(rows: bytes, job: int) -> bytes:
    """Put the job's place in its batch before each line; no value holds a raw line feed."""
    prefix = b"%d\t" % job
    return prefix + rows[:-1].replace(b"\n", b"\n" + prefix) + b"\n" if rows else b""


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
        # Most lines hold nothing to escape: three looks at the whole line are cheaper than one at each value.
        if "\\" not in line and "\r" not in line and line.count("\t") == _SEPARATORS and line.count("\n") == 1:
            return line
    escaped = "\t".join("\\N" if value is None else str(value).translate(_ESCAPES) for value in columns)
    return f"{head}\t{escaped}\t{variables.translate(_ESCAPES)}\n"
