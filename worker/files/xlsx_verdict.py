"""What the process that reads a workbook may say of it. A module of its own: python-calamine stays in that process."""

from enum import IntEnum

MAX_ROWS = 100_000


class Verdict(IntEnum):
    """The exit code; a process that was killed or gave up has another."""

    GOOD = 0
    NO_WORKBOOK = 65
    TOO_MANY_ROWS = 66
    TOO_LARGE = 67
