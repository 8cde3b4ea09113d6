"""Real workers: Celery's own command in process groups of their own, driven by signals."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from support.polling import until

TESTS = Path(__file__).parent.parent
ALL_QUEUES = "enrollment,sequencer,delivery,maintenance"


class Workers:
    """One `celery worker` with its children; `beat` sends the sweeps."""

    def __init__(  # noqa: PLR0913  # the options of `celery worker` that tests vary
        self,
        logs: Path,
        *,
        queues: str = ALL_QUEUES,
        concurrency: int = 2,
        beat: bool = False,
        app: str = "worker",
        name: str = "worker",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        options = [
            f"--hostname={name}@%h",
            f"--queues={queues}",
            f"--concurrency={concurrency}",
            "--loglevel=INFO",
            "--without-mingle",
        ]
        self._command = [sys.executable, "-m", "celery", "-A", app, "worker", *options, *(["-B"] if beat else [])]
        self._environment = {**os.environ, "PYTHONPATH": str(TESTS), **(environment or {})}
        logs.mkdir(parents=True, exist_ok=True)
        self.log = logs / f"celery-{len(list(logs.iterdir()))}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        before = self._ready_lines()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        until(lambda: self._ready_lines() > before, within=120, what="the worker's being ready")
        return self

    def kill(self) -> None:
        """`kill -9` for the whole group: no clean-up, no goodbye."""
        self._signal(signal.SIGKILL)

    def stop(self) -> int:
        """A warm shutdown, as a supervisor asks for it; gives the exit code."""
        process = self._running()
        process.terminate()
        return process.wait(timeout=60)

    def freeze(self) -> None:
        os.killpg(self._running().pid, signal.SIGSTOP)

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.is_alive():
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        process = self._running()
        os.killpg(process.pid, number)
        process.wait(timeout=30)

    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "start the workers first"
        return self._process

    def _ready_lines(self) -> int:
        return self.log.read_text(errors="replace").count(" ready.") if self.log.exists() else 0
