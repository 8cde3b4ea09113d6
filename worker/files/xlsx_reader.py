"""The process that reads a workbook: XLSX on its standard input, a line of JSON for each row on its output.

    [row number, [cell, cell, …]]

Its memory and its time are limited, its exit code is the verdict. Cells become the text that they would be in a CSV.
"""

import datetime as dt
import json
import resource
import sys
import zipfile
from collections.abc import Iterator
from typing import IO

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from worker.files.xlsx_verdict import MAX_ROWS, Verdict

_MAX_MEMORY = 1024 * 1024 * 1024
_MAX_SECONDS = 90
_MAX_INFLATED = 512 * 1024 * 1024
_MAX_ROW = 1024 * 1024


def convert(source: IO[bytes], target: IO[bytes]) -> Verdict:
    """Write the rows of the first sheet that people see; blank rows are left out."""
    try:
        if sum(part.file_size for part in zipfile.ZipFile(source).infolist()) > _MAX_INFLATED:
            return Verdict.TOO_LARGE
        source.seek(0)
        sheet = _first_sheet(CalamineWorkbook.from_filelike(source))
    except (CalamineError, zipfile.BadZipFile, OSError):
        return Verdict.NO_WORKBOOK
    for count, line in enumerate(_lines(sheet)):
        if count > MAX_ROWS:  # the first is the header
            return Verdict.TOO_MANY_ROWS
        target.write(line)
    return Verdict.GOOD


def _first_sheet(workbook: CalamineWorkbook) -> CalamineSheet:
    for place, sheet in enumerate(workbook.sheets_metadata):
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible:
            return workbook.get_sheet_by_index(place)
    raise CalamineError


def _lines(sheet: CalamineSheet) -> Iterator[bytes]:
    if sheet.start is None:
        return
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells = [_text(cell) for cell in row]
        while cells and not cells[-1].strip():  # every row is as wide as the widest
            cells.pop()
        if cells:
            line = json.dumps([number, cells]).encode()
            yield (line if len(line) <= _MAX_ROW else json.dumps([number, None]).encode()) + b"\n"


def _text(cell: object) -> str:
    match cell:
        case bool():
            return "TRUE" if cell else "FALSE"
        case float() if cell.is_integer():
            return str(int(cell))
        case dt.datetime() if cell.time() == dt.time():
            return cell.date().isoformat()
        case dt.date() | dt.time():
            return cell.isoformat()
        case _:
            return str(cell)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MAX_SECONDS, _MAX_SECONDS))
    try:
        sys.exit(convert(sys.stdin.buffer, sys.stdout.buffer))
    except MemoryError:
        sys.exit(Verdict.TOO_LARGE)
