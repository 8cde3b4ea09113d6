"""Leads in an XLSX workbook: spooled to disk, turned into lines of cells by a process of its own, then read as a table.

A process of its own, because a workbook can be made that no reader survives: 1 KB whose last cell is the last of the
sheet has python-calamine ask for 512 GB, which aborts the process. And 100,000 rows of 20 columns take 210 MB.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import IO, BinaryIO

from domain.errors import PayloadTooLarge
from worker.files.csv_file import row_of
from worker.files.header import Header, Mapped, read_header
from worker.files.records import Records, UnusableFile, line_error
from worker.files.xlsx_verdict import MAX_ROWS, Verdict

MAX_BYTES = 64 * 1024 * 1024

_READER = (sys.executable, "-m", "worker.files.xlsx_reader")
_WITHIN_SECONDS = 120.0
_LOOK_EVERY_SECONDS = 2.0
_CHUNK = 1024 * 1024
# Each may take a gigabyte.
_turns = threading.BoundedSemaphore(2)


@contextmanager
def converted(source: BinaryIO, waiting: Callable[[], object]) -> Generator[IO[bytes]]:
    """Give the rows of a workbook as lines of JSON; what is spooled is gone whatever happens to this process."""
    with tempfile.TemporaryFile() as spool, tempfile.TemporaryFile() as rows:
        _spool(source, spool)
        _take_turn(waiting)
        try:
            verdict = _convert(spool, rows, waiting)
        finally:
            _turns.release()
        _refuse(verdict)
        rows.seek(0)
        yield rows


def read_rows(rows: IO[bytes], mapped: Mapped) -> tuple[Header, Records]:
    """Read the header; the rows follow as they are asked for."""
    first = next(rows, None)
    if first is None:
        raise UnusableFile(reason="its first sheet is empty: the first row names the columns, one of them email")
    _, cells = json.loads(first)
    header = read_header(cells or [], mapped)
    return header, _records(rows, header)


def _records(rows: IO[bytes], header: Header) -> Records:
    for row in rows:
        line, cells = json.loads(row)
        if cells is None:
            yield line_error(line, None, "lead_too_large", "the row is too long")
        else:
            yield row_of(line, header, cells)


def _spool(source: BinaryIO, spool: IO[bytes]) -> None:
    while chunk := source.read(_CHUNK):
        spool.write(chunk)
        if spool.tell() > MAX_BYTES:
            raise PayloadTooLarge(size=f"more than {MAX_BYTES:,}", unit="bytes of XLSX", limit=f"{MAX_BYTES:,}")
    spool.seek(0)


def _take_turn(waiting: Callable[[], object]) -> None:
    while not _turns.acquire(timeout=_LOOK_EVERY_SECONDS):
        waiting()


def _convert(spool: IO[bytes], rows: IO[bytes], waiting: Callable[[], object]) -> int:
    with subprocess.Popen(_READER, stdin=spool, stdout=rows, stderr=subprocess.DEVNULL) as reader:  # noqa: S603  # no argument
        try:
            for _ in range(int(_WITHIN_SECONDS / _LOOK_EVERY_SECONDS)):
                try:
                    return reader.wait(_LOOK_EVERY_SECONDS)
                except subprocess.TimeoutExpired:
                    waiting()
        finally:
            reader.kill()
    return Verdict.TOO_LARGE


def _refuse(verdict: int) -> None:
    if verdict == Verdict.TOO_MANY_ROWS:
        raise PayloadTooLarge(size=f"more than {MAX_ROWS:,}", unit="rows of XLSX", limit=f"{MAX_ROWS:,}")
    if verdict == Verdict.NO_WORKBOOK:
        raise UnusableFile(reason="it is no XLSX workbook with a sheet, or it is damaged: save it anew, or as CSV")
    if verdict != Verdict.GOOD:
        raise PayloadTooLarge(
            size="more cells than a gigabyte of memory", unit="holds", limit=f"{MAX_ROWS:,} rows of a few columns"
        )
