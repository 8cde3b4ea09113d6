"""`enroll up`, all of it: how long from cold to ready, and what it takes of a core with nothing to do."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep

from worker.bench.figures import Fact, Round, Sizes
from worker.bench.place import Place
from worker.bench.processes import can_be_seen, processor_seconds
from worker.bench.programs import MeasureFailed
from worker.embedded.process import free_port
from worker.embedded.stack import remove_data

_READY = "Ready."
_SETTLES_WITHIN_SECONDS = 10
_STOPS_WITHIN_SECONDS = 20

_Process = subprocess.Popen[str]


@contextmanager
def whole_stack(place: Place, sizes: Sizes, wanted: AbstractSet[str]) -> Generator[Round]:
    """Start it in a folder of its own, anew each round; the first time, watch it do nothing."""
    idle_seconds = sizes.idle_seconds if "idle_cpu_percent" in wanted and can_be_seen() else 0
    yield lambda number: _start(place.folder / "up", 0 if number else idle_seconds)


def _start(folder: Path, idle_seconds: int) -> Iterator[Fact]:
    start = perf_counter()
    with _up(folder) as process:
        _wait_until_ready(process)
        yield Fact("start_seconds", perf_counter() - start)
        if idle_seconds:
            yield Fact("idle_cpu_percent", _idle_percent(process.pid, idle_seconds))
    remove_data(folder, lambda _: None)
    shutil.rmtree(folder)


@contextmanager
def _up(folder: Path) -> Generator[_Process]:
    own = {"ENROLL_DATA_DIR": str(folder), "ENROLL_API_PORT": str(free_port())}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ENROLL_")} | own
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", "up"],
        env=environment,
        cwd=folder.parent,  # where there is no .env
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=_STOPS_WITHIN_SECONDS)


def _wait_until_ready(process: _Process) -> None:
    for line in process.stderr or ():
        if line.startswith(_READY):
            return
    raise MeasureFailed("enroll up does not get ready")


def _idle_percent(pid: int, seconds: int) -> float:
    sleep(_SETTLES_WITHIN_SECONDS)
    before = processor_seconds(pid)
    sleep(seconds)
    return (processor_seconds(pid) - before) / seconds * 100
