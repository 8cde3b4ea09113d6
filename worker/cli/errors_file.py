"""The rows of an import that were not taken, as a CSV that a spreadsheet may open."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from worker.files.records import LineError

_FIRST = 5
_COLUMNS = ("line", "email", "field", "code", "message")
# A spreadsheet would run a cell that begins like this as a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class ErrorsFile:
    """Made with the first error, replacing that of an earlier import; without errors there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.first: list[LineError] = []
        self._file: TextIO | None = None
        self._rows: Any = None

    def write(self, errors: Iterable[LineError]) -> None:
        """Add rows."""
        for error in errors:
            if self._file is None:
                self._open()
            self.count += 1
            if self.count <= _FIRST:
                self.first.append(error)
            self._rows.writerow([_cell(getattr(error, column)) for column in _COLUMNS])

    def close(self) -> None:
        """Finish the file, if there is one."""
        if self._file is not None:
            self._file.close()

    def _open(self) -> None:
        self._file = self.path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(_COLUMNS)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
