"""What reading a file of leads gives: rows and faults, each with the line where its record starts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, AnyStr, NamedTuple

from domain.errors import InvalidRequest, PayloadTooLarge
from domain.rows import MAX_EMAIL_CHARACTERS

# Sixteen times what a lead may hold: the end of such a line is not even read.
MAX_LINE = 1024 * 1024
# 9 MB of gzip may hold 2 GiB of blank lines, which take 20 minutes to step over.
MAX_LINES = 10_000_000

_unstorable = re.compile(r"[\x00\ud800-\udfff]")
_MAX_MESSAGE_CHARACTERS = 500


class UnusableFile(InvalidRequest):
    """The file cannot be used: {reason}."""


class Row(NamedTuple):
    """A lead, as any door takes it, and about how many characters it has. Lines count from 1."""

    line: int
    lead: object
    size: int = 0


@dataclass(frozen=True, slots=True)
class LineError:
    """Why the record that starts at this line was not taken."""

    line: int
    email: str | None
    field: str | None
    code: str
    message: str


Records = Iterator[Row | LineError]


def line_error(line: int, email: object, code: str, message: str) -> LineError:
    """Refuse a record that never was a row; of what it says only what can be stored and shown."""
    shown = _storable(email[:MAX_EMAIL_CHARACTERS]) if isinstance(email, str) else None
    return LineError(line, shown, None, code, _storable(message[:_MAX_MESSAGE_CHARACTERS]))


def bounded_lines(file: IO[AnyStr]) -> Iterator[AnyStr]:
    """Give the lines one by one, each cut at MAX_LINE, so that no file needs more memory than that.

    `PayloadTooLarge` when there are more than MAX_LINES, blank ones too.
    """
    count = 0
    while line := file.readline(MAX_LINE):
        count += 1
        if count > MAX_LINES:
            raise PayloadTooLarge(size=f"more than {MAX_LINES:,}", unit="lines", limit=f"{MAX_LINES:,}")
        yield line
        rest = line
        while len(rest) == MAX_LINE and not rest[-1:].isspace():
            rest = file.readline(MAX_LINE)


def _storable(text: str) -> str:
    return _unstorable.sub("\ufffd", text)
