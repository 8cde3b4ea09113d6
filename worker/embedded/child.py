"""The process of a program: a command, as anyone could type it, in a session of its own, writing to its log."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import BinaryIO, Protocol


class Child(Protocol):
    """A process that we may ask to stop, leading a group of its own."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    def exit_code(self) -> int | None:
        """None while it runs, then its exit code; minus the number of the signal that ended it."""
        ...

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it has ended, for at most `timeout` seconds."""
        ...

    def terminate(self) -> None:
        """Ask it to stop; nothing where it has ended."""
        ...

    def kill(self) -> None:
        """End it at once, not its group."""
        ...


Launch = Callable[[str, Sequence[str], Mapping[str, str], BinaryIO], Child]
"""Runs a command under a name, with this environment and no other, on this log."""


class _Launched:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.pid = process.pid
        self.exit_code = process.poll
        self.terminate = process.terminate
        self.kill = process.kill

    def wait(self, timeout: float | None = None) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)


def launch(name: str, command: Sequence[str], environment: Mapping[str, str], log: BinaryIO) -> Child:
    """Start any program; lists of processes have its own name for it."""
    del name
    process = subprocess.Popen(  # noqa: S603  # the commands are our own
        command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    return _Launched(process)
