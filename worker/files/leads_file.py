"""Leads as they come, from a file or from a connection: never whole in memory, whatever they hold."""

import codecs
import io
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from worker.files.csv_file import NOT_UTF_8, read_csv
from worker.files.header import Column, Mapped
from worker.files.ndjson_file import read_ndjson
from worker.files.records import Records, UnusableFile
from worker.files.xlsx_file import converted, read_rows

Kind = Literal["csv", "ndjson", "xlsx"]

_SUFFIXES: dict[str, Kind] = {".ndjson": "ndjson", ".jsonl": "ndjson", ".xlsx": "xlsx"}
_ZIP, _OLD_EXCEL, _GZIP = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b"
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LeadsFile:
    """Leads to be read. `columns`: what those of a table mean."""

    columns: Sequence[Column]
    records: Records


@contextmanager
def open_leads(path: Path, mapped: Mapped) -> Generator[tuple[LeadsFile, Callable[[], int]]]:
    """Open a file; give also how many of its bytes have been read. `UnusableFile` when it is none of leads."""
    with path.open("rb") as file:
        if not file.seekable():
            raise UnusableFile(reason=f"{path} is a pipe: write its content into a file first")
        kind = _kind_of(path, file.peek())
        if kind == "csv":
            _refuse_other_encodings(file)
        with read_leads(file, kind, mapped) as leads:
            yield leads, file.tell


@contextmanager
def read_leads(
    source: "io.BufferedReader[Any]", kind: Kind, mapped: Mapped, waiting: Callable[[], object] = lambda: None
) -> Generator[LeadsFile]:
    """Read leads of a kind. `waiting` is called now and then while nothing comes."""
    _refuse_another_kind(source.peek(4), kind)
    if kind == "ndjson":
        _refuse_map(mapped)
        yield LeadsFile([], read_ndjson(source))
    elif kind == "xlsx":
        with converted(source, waiting) as rows:
            header, records = read_rows(rows, mapped)
            yield LeadsFile(header.columns, records)
    else:
        # What is no UTF-8 comes through, and is an error of its row.
        with io.TextIOWrapper(source, "utf-8-sig", "surrogateescape", newline="") as text:
            header, records = read_csv(text, mapped)
            yield LeadsFile(header.columns, records)


def _kind_of(path: Path, first: bytes) -> Kind:
    if first.startswith(_ZIP):
        return "xlsx"
    if _is_json(first, b"{"):
        return "ndjson"
    return _SUFFIXES.get(path.suffix.lower(), "csv")


def _refuse_another_kind(first: bytes, kind: Kind) -> None:
    if first.startswith(_OLD_EXCEL):
        raise UnusableFile(reason="it is a workbook of an old Excel, or one with a password: save it as XLSX or CSV")
    if first.startswith(_GZIP):
        raise UnusableFile(reason="it is compressed: unpack it, or send it with Content-Encoding: gzip")
    if kind != "xlsx" and first.startswith(_ZIP):
        raise UnusableFile(reason="it is a workbook or a ZIP archive: send it as XLSX, or save it as CSV")
    if kind != "xlsx" and _is_json(first, b"["):
        raise UnusableFile(reason="it is one JSON array: write one lead a line, as `jq -c '.[]'` does")


def _is_json(first: bytes, opening: bytes) -> bool:
    return first.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == opening


def _refuse_map(mapped: Mapped) -> None:
    if mapped:
        raise UnusableFile(reason="map is for columns, NDJSON has none: its keys are the names")


def _refuse_other_encodings(file: BinaryIO) -> None:
    # A file that is there as a whole is refused as a whole, before anything is accepted.
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := file.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise UnusableFile(reason=NOT_UTF_8) from None
    file.seek(0)
