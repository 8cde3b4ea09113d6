"""Processes of this machine: telling them apart, waiting for them, ending them, and the ports they listen on."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

Say = Callable[[str], None]
"""Tells the user one line."""

_PROC = Path("/proc")
_REMOVED = " (deleted)"  # how Linux marks a folder that somebody removed under its process
# Below every system's range of ports for outgoing connections (32768 and up on Linux). Clients that try again and
# again while a server is down would otherwise, sooner or later, be given its port: then they reach themselves, and
# the server cannot come back to it.
_PORTS = range(20_000, 32_000)
_LAST_LINES = 2000


@dataclass(frozen=True)
class ProcessId:
    """One process; its start time tells it from a later one that was given the same number."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Identify a process that lives; None for one that does not, or waits only for its parent to notice."""
        started = _started(pid)
        return cls(pid, started) if started else None

    def is_alive(self) -> bool:
        """Whether this very process lives."""
        return _started(self.pid) == self.started

    def end(self, requests: Sequence[signal.Signals], patience: float) -> None:
        """Send one request after the other; the first, the orderly one, gets most of `patience` seconds; then kill."""
        for request, share in zip(requests, (0.8, 0.2), strict=False):
            self._signal(request)
            if wait_until(lambda: not self.is_alive(), patience * share):
                return
        self._signal(signal.SIGKILL)
        wait_until(lambda: not self.is_alive(), patience)

    def kill_group(self) -> None:
        """Kill the process and all that share the group it leads."""
        if self.is_alive():
            kill_group(self.pid)
            wait_until(lambda: not self.is_alive(), within=5)

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive():
            with suppress(ProcessLookupError):  # it ended in between, which is what is wanted
                os.kill(self.pid, number)


def kill_group(leader: int) -> None:
    """Kill every process of the group; none left is fine."""
    # PermissionError is how macOS says that only a zombie is left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def ending_of(code: int | None) -> str:
    """How a process ended, in words, from its exit code; None for one that was not started."""
    if code is None:
        return "not started"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def leftovers(program: str, folder: Path, recorded: int | None) -> list[ProcessId]:
    """Find the processes of `program` that work in `folder`, and the recorded one if its command names the folder.

    Nothing else is trusted: the recorded number may be another process by now. Where working directories are not to
    be seen (macOS; root in a container, looking at the processes of others) only the second way is left.
    """
    candidates = {*_working_in(folder)}
    if recorded and str(folder) in _command(recorded):
        candidates.add(recorded)
    found = (ProcessId.of(pid) for pid in sorted(candidates) if _name(pid) == program)
    return [process for process in found if process]


def recorded_pid(path: Path) -> int | None:
    """Read the number on the first line of a pid file; None without one."""
    with suppress(FileNotFoundError):
        first = path.read_text().partition("\n")[0].strip()
        return int(first) if first.isdecimal() else None
    return None


def free_port() -> int:
    """Choose a port on which nobody listens now."""
    return next(port for port in _at_random(_PORTS) if can_listen("127.0.0.1", port))


def can_listen(host: str, port: int) -> bool:
    """Whether somebody may listen there now; on port 0 always."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def listens(host: str, port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(look: Callable[[], bool], within: float) -> bool:
    """Look until the answer is yes, for at most so many seconds; give the last answer."""
    deadline = time.monotonic() + within
    while not (answer := look()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return answer


def open_log(path: Path) -> BinaryIO:
    """Open for appending, making the folder; errors may quote leads, so only the owner reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def last_line(log: Path) -> str:
    """Give the last line of a log that says something."""
    with suppress(FileNotFoundError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LAST_LINES))
        lines = file.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
    return "nothing"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads: whole or not at all."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # else a power cut may leave the new name on an empty file
    unfinished.replace(path)


def _at_random(ports: Sequence[int]) -> Iterator[int]:
    return iter(random.sample(ports, len(ports)))


def _started(pid: int) -> str | None:
    if not _PROC.exists():
        return _ps(pid, "lstart=") or None
    try:
        # The name, in brackets, may hold blanks and brackets itself; field 3 is the first after it.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, started = fields[0], fields[19]
    return None if state in {"Z", "X"} else started


def _command(pid: int) -> str:
    if not _PROC.exists():
        return _ps(pid, "command=")
    with suppress(FileNotFoundError, ProcessLookupError):
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _name(pid: int) -> str:
    if not _PROC.exists():
        return Path(_ps(pid, "comm=")).name
    with suppress(FileNotFoundError, ProcessLookupError):
        return (_PROC / str(pid) / "comm").read_text().strip()
    return ""


def _working_in(folder: Path) -> Iterable[int]:
    for process in _PROC.glob("[0-9]*"):
        with suppress(OSError):  # it ended, or belongs to another user
            if str((process / "cwd").readlink()).removesuffix(_REMOVED) == str(folder):
                yield int(process.name)


def _ps(pid: int, column: str) -> str:
    command = ["/bin/ps", "-ww", "-o", column, "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # ps, of a number
    return done.stdout.strip()
