"""A file of leads, CSV or NDJSON, read record by record: never whole in memory, whatever it holds."""

import codecs
import io
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from worker.cli.csv_file import read_csv
from worker.cli.failures import CommandFailed
from worker.cli.header import Column
from worker.cli.ndjson_file import read_ndjson
from worker.cli.records import Records

_NDJSON_SUFFIXES = {".ndjson", ".jsonl"}
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LeadsFile:
    """An open file. `columns`: what those of a CSV mean; `position`: how many bytes have been read."""

    columns: Sequence[Column]
    records: Records
    position: Callable[[], int]


@contextmanager
def open_leads(path: Path) -> Generator[LeadsFile]:
    """Open a file of leads; `CommandFailed` when it is none."""
    with path.open("rb") as file:
        if not file.seekable():
            raise CommandFailed(f"{path} is a pipe: write its content into a file first")
        first = file.peek().removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        if first == b"[":
            raise CommandFailed(f"{path} is one JSON array: write one lead a line, as `jq -c '.[]'` does")
        if first == b"{" or path.suffix.lower() in _NDJSON_SUFFIXES:
            yield LeadsFile([], read_ndjson(file), file.tell)
        else:
            _refuse_other_encodings(path, file)
            with io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
                header, records = read_csv(text)
                yield LeadsFile(header.columns, records, file.tell)


def _refuse_other_encodings(path: Path, file: BinaryIO) -> None:
    # Before anything is accepted: a file that turns out to be no UTF-8 in its last line is refused as a whole.
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := file.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise CommandFailed(
            f"{path} is not UTF-8: save it as `CSV UTF-8`, or convert it: `iconv -f WINDOWS-1252 -t UTF-8`"
        ) from None
    file.seek(0)
