"""What reading a file of leads gives: rows and faults, each with the line where its record starts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, AnyStr, NamedTuple

# Sixteen times what a lead may hold: the end of such a line is not even read.
MAX_LINE = 1024 * 1024


class Row(NamedTuple):
    """A lead, as any door takes it. Lines count from 1."""

    line: int
    lead: object


@dataclass(frozen=True, slots=True)
class LineError:
    """Why the record that starts at this line was not taken."""

    line: int
    email: str | None
    field: str | None
    code: str
    message: str


Records = Iterator[Row | LineError]


def bounded_lines(file: IO[AnyStr]) -> Iterator[AnyStr]:
    """Give the lines one by one, each cut at MAX_LINE, so that no file needs more memory than that."""
    while line := file.readline(MAX_LINE):
        yield line
        rest = line
        while len(rest) == MAX_LINE and not rest[-1:].isspace():
            rest = file.readline(MAX_LINE)
