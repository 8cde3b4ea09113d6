"""What PostgreSQL and Valkey have in common: a server of our own on 127.0.0.1, on one port for as long as we live."""

import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from worker.embedded.account import OURSELVES, Account
from worker.embedded.process import ProcessId, Say, ending_of, free_port, last_line, leftovers, open_log, wait_until

_ATTEMPTS = 5
_SILENT_FOR = 60.0  # a database that was killed under load replays its log first, and says so every 10 s
_STOP_WITHIN = 3.0  # with the 6 s of the programs it makes less than the 10 s that `enroll up` may take to stop


class ServerFailed(Exception):
    """A server of our own cannot run. The message says why, and what to do."""


class EmbeddedServer(ABC):
    """A child process that may be started, stopped, killed and started again, on the same port."""

    name: str
    program: str
    stop_signals: Sequence[signal.Signals]

    def __init__(self, folder: Path, say: Say) -> None:
        self.folder = folder
        self.log = folder / "server.log"
        self.port = free_port()
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._was_ready = False

    def start(self) -> None:
        """Start and wait until it answers; `ServerFailed` where it does not."""
        for attempt in range(_ATTEMPTS):
            self.launch()
            if self._becomes_ready():
                self._was_ready = True
                return
            self.stop()
            self._make_way(attempt)
        raise ServerFailed(f"{self.name} does not start: {last_line(self.log)} (see {self.log})")

    def launch(self) -> None:
        """Start and do not wait; whatever a start before this one left running in the folder is stopped first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._prepare()
        self._end_leftovers(self.stop_signals)
        self._forget_leftovers()
        self._process = self._spawn()

    def is_alive(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> None:
        """Wait until the server's process has ended."""
        if process := self._process:
            process.wait()

    def stop(self) -> None:
        """Stop in an orderly way, within 4 s."""
        self._end(self.stop_signals)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(())

    def remove(self) -> None:
        """End it, left over from a killed start or not, and remove all it has."""
        self.kill()
        if self.folder.exists():
            self._end_leftovers(())
            shutil.rmtree(self.folder)

    def ending(self) -> str:
        """How its last process ended."""
        return ending_of(self._process.poll() if self._process else None)

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is, password included; holds from the first start on."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make what the server needs before its first start."""

    @property
    @abstractmethod
    def _workplace(self) -> Path:
        """The folder the server works in, links resolved."""

    @property
    @abstractmethod
    def _recorded_pid(self) -> int | None:
        """The number of the process, as the server itself wrote it down."""

    @abstractmethod
    def _forget_leftovers(self) -> None:
        """Remove what would keep the server from starting."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """The program and its arguments."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it can be used."""

    @property
    def _account(self) -> Account:
        return OURSELVES

    def _becomes_ready(self) -> bool:
        """Wait until it answers, as long as it says something: stopped halfway, a repair would begin anew each time."""
        said = -1
        while (size := self.log.stat().st_size) > said:
            said = size
            if wait_until(lambda: not self.is_alive() or self._answers(), _SILENT_FOR):
                return self.is_alive()
        return False

    def _spawn(self) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C in the terminal is for the supervisor, which stops the servers last.
        with open_log(self.log) as log:
            return self._account.popen(self._command(), folder=self._workplace, output=log)

    def _end_leftovers(self, requests: Sequence[signal.Signals]) -> None:
        for process in leftovers(self.program, self._workplace, self._recorded_pid):
            process.end(requests, _STOP_WITHIN)

    def _end(self, requests: Sequence[signal.Signals]) -> None:
        if self._process is None:
            return
        process = ProcessId.of(self._process.pid) if self._process.poll() is None else None
        if process:
            process.end(requests, _STOP_WITHIN)
        self._process.wait()

    def _make_way(self, attempt: int) -> None:
        # Somebody took the port between our look and the server's. A server that was up keeps its port: clients know
        # it, and what is in the way (a process of a killed PostgreSQL that has not noticed yet) soon goes away.
        if not self._was_ready:
            self.port = free_port()
        time.sleep(0.1 * attempt)
