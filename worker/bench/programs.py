"""The processes that are measured: the very commands that `enroll up` runs."""

import socket
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from typing import Any

from worker.bench.place import Place
from worker.embedded.process import free_port, listens, wait_until
from worker.embedded.program import Program, RunningProgram
from worker.settings import settings

ENROLLING, DELIVERY = "enrollment,sequencer,maintenance", "delivery"
# As many as `enroll up` starts for each kind of work.
PROCESSES = 2

_READY_WITHIN_SECONDS = 60.0
_ENROLL = (sys.executable, "-m", "worker")
_CELERY = (sys.executable, "-m", "celery")


class MeasureFailed(Exception):
    """What was measured did not do what it should. The message is one line."""


@contextmanager
def celery_worker(place: Place, queues: str, *, processes: int = PROCESSES, name: str = "bench") -> Generator[int]:
    """Run a Celery worker; gives its process number."""
    command = [*_CELERY, "-A", "worker", "worker", "--loglevel=INFO", *_worker_options(name, queues, processes)]
    with _running(place, Program(name, command), lambda: _answers(name)) as pid:
        yield pid


@contextmanager
def noop_worker(place: Place, *, processes: int = PROCESSES) -> Generator[int]:
    """Run a Celery worker for tasks that do nothing; it logs nothing, either."""
    options = _worker_options("noop", "bench", processes)
    command = [*_CELERY, "-A", "worker.bench.references.noop_app", "worker", "--loglevel=WARNING", *options]
    with _running(place, Program("noop", command), lambda: _answers("noop")) as pid:
        yield pid


@contextmanager
def api(place: Place) -> Generator[tuple[int, int]]:
    """Run one process of the API; gives its process number and its port."""
    port = free_port()
    program = Program("api", [*_ENROLL, "api", "--port", str(port)])
    with _running(place, program, lambda: listens("127.0.0.1", port)) as pid:
        yield pid, port


@contextmanager
def intake(place: Place) -> Generator[int]:
    """Run the reader of the stream."""
    with _running(place, Program("intake", [*_ENROLL, "intake"]), lambda: True) as pid:
        yield pid


@contextmanager
def all_of(programs: Iterable[Any]) -> Generator[list[Any]]:
    """Run several."""
    with ExitStack() as stack:
        yield [stack.enter_context(program) for program in programs]


def _worker_options(name: str, queues: str, processes: int) -> list[str]:
    options = [f"--hostname={_node(name)}", f"--queues={queues}", f"--concurrency={processes}"]
    return [*options, "--without-mingle", "--without-gossip"]


@contextmanager
def _running(place: Place, program: Program, is_ready: Callable[[], bool]) -> Generator[int]:
    running = RunningProgram(program, place.folder)
    running.launch()
    try:
        ready = wait_until(lambda: not running.is_alive() or is_ready(), _READY_WITHIN_SECONDS)
        if not ready or not running.is_alive():
            raise MeasureFailed(f"{program.name} does not start: see {running.log}")
        yield running.pid or 0
    finally:
        running.stop()


def _answers(name: str) -> bool:
    from worker.celery import app  # noqa: PLC0415  # its settings need the running servers

    return bool(app.control.ping(destination=[_node(name)], timeout=0.2, limit=1))


def _node(name: str) -> str:
    return f"{name}-{settings().data_dir.name}@{socket.gethostname()}"
