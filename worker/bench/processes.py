"""What processes take: memory at their peak, and time of the processor. Read from /proc, so on Linux only."""

import os
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PROC = Path("/proc")
_LOOK_EVERY_SECONDS = 0.25
_PPID, _FIRST_TIME, _LAST_TIME = 1, 11, 15


def can_be_seen() -> bool:
    """Whether this machine tells what its processes take."""
    return _PROC.is_dir()


class Watch:
    """The most memory that each watched program took so far, in MB of 10^6 bytes.

    `largest`: the peak of its largest process, as the kernel keeps it. `whole`: of all its processes together, what
    they share counted once; looked at four times a second, so a shorter peak may be missed.
    """

    def __init__(self) -> None:
        self.largest: dict[str, float] = {}
        self.whole: dict[str, float] = {}
        self._programs: dict[str, int] = {}
        self._over = threading.Event()

    def add(self, name: str, pid: int) -> None:
        """Watch a program and its children."""
        self._programs = {**self._programs, name: pid}

    def look(self) -> None:
        """Note what is taken now."""
        for name, pid in self._programs.items():
            family = list(family_of(pid))
            largest = max((_kilobytes(member, "status", "VmHWM") for member in family), default=0) * 1024 / 1e6
            whole = sum(_kilobytes(member, "smaps_rollup", "Pss") for member in family) * 1024 / 1e6
            self.largest[name] = max(largest, self.largest.get(name, 0))
            self.whole[name] = max(whole, self.whole.get(name, 0))

    def look_until_over(self) -> None:
        """Look again and again."""
        while not self._over.wait(_LOOK_EVERY_SECONDS):
            self.look()

    def end(self) -> None:
        """Look no more."""
        self._over.set()


@contextmanager
def watching() -> Generator[Watch]:
    """Watch beside what is done inside."""
    watch = Watch()
    thread = threading.Thread(target=watch.look_until_over)
    thread.start()
    try:
        yield watch
        watch.look()
    finally:
        watch.end()
        thread.join()


def family_of(pid: int) -> Iterator[int]:
    """Give the process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for member in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            children.setdefault(int(_stat(int(member.name))[_PPID]), []).append(int(member.name))
    waiting = [pid]
    while waiting:
        waiting += children.get(member := waiting.pop(), [])
        yield member


def processor_seconds(pid: int) -> float:
    """Give what a family has taken of the processor, children that ended included."""
    ticks = 0
    for member in family_of(pid):
        with suppress(OSError):
            ticks += sum(map(int, _stat(member)[_FIRST_TIME:_LAST_TIME]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields after the name, which is in brackets and may hold anything."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _kilobytes(pid: int, file: str, name: str) -> int:
    with suppress(OSError):
        for line in (_PROC / str(pid) / file).read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    return 0
