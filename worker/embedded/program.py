"""Programs of ours under supervision: a command, a process group of its own, a log."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from worker.embedded.child import Child, Launch, launch
from worker.embedded.process import ProcessId, ending_of, kill_group, open_log, write_private

_STOP_WITHIN = 6.0  # with the 3 s of the servers it makes less than the 10 s that `enroll up` may take to stop


@dataclass(frozen=True)
class Program:
    """What to run, and how; `environment` is added to ours."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    launch: Launch = launch


class RunningProgram:
    """A program that writes to DATA_DIR/logs/NAME.log, and whose process is noted in DATA_DIR/run/NAME.pid."""

    def __init__(self, program: Program, data_dir: Path) -> None:
        self.name = program.name
        self.log = data_dir / "logs" / f"{program.name}.log"
        self._program = program
        self._note = _notes(data_dir) / f"{program.name}.pid"
        self._process: Child | None = None

    def launch(self) -> None:
        """Start it, once nothing of its last run is left: children outlive a parent that was killed."""
        self._clear_group()
        with open_log(self.log) as log:
            environment = {**os.environ, **self._program.environment}
            process = self._program.launch(self.name, self._program.command, environment, log)
        self._process = process
        _write_note(self._note, process.pid)

    @property
    def pid(self) -> int | None:
        """The number of its main process."""
        return self._process.pid if self._process else None

    def is_alive(self) -> bool:
        """Whether its main process runs."""
        return self._process is not None and self._process.exit_code() is None

    def wait(self) -> None:
        """Wait until its main process has ended."""
        if process := self._process:
            process.wait()

    def stop(self) -> None:
        """Ask the main process to stop; after 7 s, kill the group."""
        process = self._process
        if process is not None:
            # Not the group: to Celery's children SIGTERM means to drop their task, and it is their parent, warmly
            # shutting down, who ends them.
            process.terminate()
            process.wait(_STOP_WITHIN)
        self.kill()

    def kill(self) -> None:
        """Kill the whole group."""
        self._clear_group()
        self._note.unlink(missing_ok=True)

    def ending(self) -> str:
        """How its last run ended."""
        return ending_of(self._process.exit_code() if self._process else None)

    def _clear_group(self) -> None:
        # Once only: after that the number may be given to others.
        process, self._process = self._process, None
        if process is not None:
            kill_group(process.pid)
            process.kill()  # it may have been forked just now, and not lead its group yet
            process.wait()


def end_leftovers(data_dir: Path) -> Iterator[str]:
    """Kill the programs that a killed supervisor left in this data directory; gives their names."""
    for note in _notes(data_dir).glob("*.pid"):
        process = _read_note(note)
        if process and process.is_alive():
            process.kill_group()
            yield note.stem
        note.unlink()


def _notes(data_dir: Path) -> Path:
    return data_dir / "run"


def _write_note(note: Path, pid: int) -> None:
    process = ProcessId.of(pid)
    if process:
        note.parent.mkdir(parents=True, exist_ok=True)
        write_private(note, f"{process.pid} {process.started}")


def _read_note(note: Path) -> ProcessId | None:
    pid, _, started = note.read_text().partition(" ")
    return ProcessId(int(pid), started) if pid.isdecimal() else None
