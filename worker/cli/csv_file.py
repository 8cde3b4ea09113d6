"""Leads in a CSV file: any of the usual delimiters, quoted line breaks, the header mapped to fields."""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, TextIO

from worker.cli.failures import CommandFailed
from worker.cli.header import Header, has_email, read_header
from worker.cli.records import LineError, Records, Row, bounded_lines

if TYPE_CHECKING:
    from _csv import Reader

_DELIMITERS = ",;\t|"
_is_delimiter_line_of_excel = re.compile(r"sep=.\s*", re.IGNORECASE).fullmatch


def read_csv(text: TextIO) -> tuple[Header, Records]:
    """Read the header; the rows follow as they are asked for. `CommandFailed` when there is no usable header."""
    lines = bounded_lines(text)
    skipped, first = _first_line(lines)
    # strict: a quote that is never closed becomes an error at its line instead of swallowing what follows.
    reader = csv.reader(chain([first], lines), delimiter=_delimiter(first), strict=True)
    try:
        header = read_header(next(reader))
    except csv.Error as error:
        raise CommandFailed(f"the first line, which names the columns, cannot be read: {error}") from None
    return header, _records(reader, header, skipped)


def _first_line(lines: Iterator[str]) -> tuple[int, str]:
    for skipped, line in enumerate(lines):
        if line.strip() and not _is_delimiter_line_of_excel(line):
            return skipped, line
    raise CommandFailed("the file is empty: the first line of a CSV names its columns, one of them email")


def _delimiter(header: str) -> str:
    """Find the delimiter with which the header has an email column, and the most columns."""

    def fitness(delimiter: str) -> tuple[bool, int]:
        cells = next(csv.reader([header], delimiter=delimiter))
        return has_email(cells), len(cells)

    return max(_DELIMITERS, key=fitness)


def _records(reader: "Reader", header: Header, skipped: int) -> Records:
    while True:
        line = skipped + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _unreadable(line, skipped + reader.line_num, error)
            continue
        if any(map(str.strip, cells)):
            yield _row(line, header, cells)


def _row(line: int, header: Header, cells: Sequence[str]) -> Row | LineError:
    lead = header.lead(cells)
    if len(cells) > len(header.columns):
        message = f"the row has {len(cells)} cells, the header {len(header.columns)}: quote cells that hold a delimiter"
        return LineError(line, lead.get("email"), None, "too_many_cells", message)
    return Row(line, lead)


def _unreadable(first: int, last: int, error: csv.Error) -> LineError:
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    return LineError(first, None, None, "invalid_csv", f"{lines} cannot be read as CSV: {error}")
