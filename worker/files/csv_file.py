"""Leads in a CSV file: any of the usual delimiters, quoted line breaks, the header mapped to fields."""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, TextIO

from worker.files.header import Header, Mapped, has_email, read_header
from worker.files.records import MAX_LINE, LineError, Records, Row, UnusableFile, bounded_lines, line_error

if TYPE_CHECKING:
    from _csv import Reader

NOT_UTF_8 = "it is not UTF-8: save it as `CSV UTF-8`, or convert it: `iconv -f WINDOWS-1252 -t UTF-8`"

# Longer than any table's: 2,000 columns of 64 characters.
_MAX_HEADER = 128 * 1024
_DELIMITERS = ",;\t|"
_is_delimiter_line_of_excel = re.compile(r"sep=.\s*", re.IGNORECASE).fullmatch
# How LinkedIn begins its Connections.csv: a note on missing addresses, a blank line, then the header.
_begins_the_note_of_linkedin = re.compile(r'"?notes:"?[,;\s]*', re.IGNORECASE).fullmatch
# Bytes that are no UTF-8, as surrogateescape has them.
_is_no_utf_8 = re.compile(r"[\ud800-\udfff]").search


def read_csv(text: TextIO, mapped: Mapped) -> tuple[Header, Records]:
    """Read the header; the rows follow as they are asked for. `UnusableFile` when there is no usable header."""
    lines = _Lines(bounded_lines(text))
    try:
        first = _first_line(lines)
        reader = csv.reader(chain([first], lines), delimiter=_delimiter(first, mapped), strict=True)
        header = read_header(next(reader), mapped)
    except csv.Error as error:
        raise UnusableFile(reason=f"the first line, which names the columns, cannot be read: {error}") from None
    return header, _records(reader, header, lines)


class _Lines:
    """Lines, counted; a record that grows beyond all measure, because a quote is never closed, is an error."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.read = 0
        self._lines = lines
        self._record = 0

    def begin_record(self) -> int:
        """Give the line at which the next record begins."""
        self._record = 0
        return self.read + 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.read += 1
        self._record += len(line)
        if self._record >= MAX_LINE:  # what of a longer line is not there may not pass for a blank end
            raise csv.Error(f"the record has {MAX_LINE:,} characters or more")
        return line


def _first_line(lines: _Lines) -> str:
    for line in lines:
        lines.begin_record()
        if "\0" in line or _is_no_utf_8(line):
            raise UnusableFile(reason=NOT_UTF_8)
        if _begins_the_note_of_linkedin(line):
            _skip_to_blank_line(lines)
        elif line.strip() and not _is_delimiter_line_of_excel(line):
            return _short_enough(line)
    raise UnusableFile(reason="the file is empty: the first line of a CSV names its columns, one of them email")


def _short_enough(line: str) -> str:
    if len(line) > _MAX_HEADER:
        raise UnusableFile(reason=f"the first line, which names the columns, is longer than {_MAX_HEADER:,} characters")
    return line


def _skip_to_blank_line(lines: _Lines) -> None:
    for line in lines:
        lines.begin_record()
        if not line.strip(',;"\t\r\n '):
            return


def _delimiter(header: str, mapped: Mapped) -> str:
    """Find the delimiter with which the header has an email column, and the most columns."""

    def fitness(delimiter: str) -> tuple[bool, int]:
        cells = next(csv.reader([header], delimiter=delimiter))
        return has_email(cells, mapped), len(cells)

    return max(_DELIMITERS, key=fitness)


# strict: a quote that is never closed becomes an error at its line instead of swallowing what follows.
def _records(reader: "Reader", header: Header, lines: _Lines) -> Records:
    while True:
        line = lines.begin_record()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _unreadable(line, lines.read, error)
            continue
        if any(map(str.strip, cells)):
            yield row_of(line, header, cells)


def row_of(line: int, header: Header, cells: Sequence[str]) -> Row | LineError:
    """Make a lead of the cells of a row that is not blank."""
    lead, text = header.lead(cells), "".join(cells)
    if len(cells) > len(header.columns) and any(map(str.strip, cells[len(header.columns) :])):
        message = f"the row has {len(cells)} cells, the header {len(header.columns)}: quote cells that hold a delimiter"
        return line_error(line, lead.get("email"), "too_many_cells", message)
    if not text.isascii() and _is_no_utf_8(text):
        return line_error(line, lead.get("email"), "invalid_encoding", f"the row cannot be read, {NOT_UTF_8}")
    return Row(line, lead, len(text))


def _unreadable(first: int, last: int, error: csv.Error) -> LineError:
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    return line_error(first, None, "invalid_csv", f"{lines} cannot be read as CSV: {error}")
