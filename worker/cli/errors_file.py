"""The rows of an import that were not taken, in a file of their own."""

from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from worker.files.records import LineError
from worker.files.rejected import as_csv, header

_FIRST = 5


class ErrorsFile:
    """Made with the first error, replacing that of an earlier import; without errors there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.first: list[LineError] = []
        self._file: TextIO | None = None

    def write(self, errors: Iterable[LineError]) -> None:
        """Add rows."""
        new = list(errors)
        if new:
            self._opened().write(as_csv(new))
            self.count += len(new)
            self.first += new[: _FIRST - len(self.first)]

    def close(self) -> None:
        """Finish the file, if there is one."""
        if self._file is not None:
            self._file.close()

    def _opened(self) -> TextIO:
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8", newline="")
            self._file.write(header())
        return self._file
