"""The rows that were not taken, as a CSV that a spreadsheet may open."""

import csv
import io
import re
from collections.abc import Iterable

from worker.files.records import LineError

COLUMNS = ("line", "email", "field", "code", "message")

# A spreadsheet would run a cell that begins like this as a formula. After a delimiter too: a spreadsheet of a country
# that writes 1,5 splits at semicolons, and takes what follows for a cell of its own.
_begins_a_formula = re.compile(r"(?:^|(?<=[;,|\t\r\n]))(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r])")


def as_csv(errors: Iterable[LineError]) -> str:
    """Give the lines of these errors, without a header."""
    lines = io.StringIO()
    csv.writer(lines).writerows([_cell(getattr(error, column)) for column in COLUMNS] for error in errors)
    return lines.getvalue()


def header() -> str:
    """Give the first line."""
    return ",".join(COLUMNS) + "\r\n"


def _cell(value: object) -> str:
    return "" if value is None else _begins_a_formula.sub("'", str(value))
