"""The programs that do the work: Celery's own commands, as anyone could type them."""

import socket
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from worker.embedded.forking import fork
from worker.embedded.process import wait_until
from worker.embedded.program import Program
from worker.observability import directory
from worker.store.workers import started_since

_ENROLL = (sys.executable, "-m", "worker")
_CELERY = (sys.executable, "-m", "celery", "-A", "worker")
# Delivery apart from the lanes: a transport that hangs must not keep anybody from being enrolled, and a long import
# must not keep messages from leaving.
_QUEUES = {"enrolling": "enrollment,sequencer,maintenance", "delivering": "delivery"}
READY_WITHIN = 60.0


def workers() -> list[Program]:
    """List the programs that work: workers for all queues, and beat."""
    return [*(_worker(name, queues) for name, queues in _QUEUES.items()), _beat()]


def doors() -> list[Program]:
    """List the programs that take leads in, beside the queue itself."""
    return [Program(door, [*_ENROLL, door], launch=fork) for door in ("api", "intake")]


def counting_in(folder: Path, programs: Iterable[Program]) -> list[Program]:
    """Let all of them count in one folder, made anew: so that the API's /metrics speaks for all."""
    together = {directory.VARIABLE: str(directory.make_anew(folder))}
    return [replace(program, environment={**program.environment, **together}) for program in programs]


def wait_until_workers_are_ready(since: datetime, within: float) -> bool:
    """Wait until every worker of this machine has said that it started after `since`, by the store's clock.

    Celery's ping would do, but asking it takes the second in which Celery is loaded.
    """
    names = {_node(name) for name in _QUEUES}
    return wait_until(lambda: names <= started_since(since), within)


def _worker(name: str, queues: str) -> Program:
    options = [f"--hostname={_node(name)}", f"--queues={queues}", "--concurrency=2", "--loglevel=INFO"]
    # Waiting a second at the start to hear from other workers is of no use here.
    return Program(name, [*_CELERY, "worker", *options, "--without-mingle", "--without-gossip"], launch=fork)


def _beat() -> Program:
    return Program("beat", [*_CELERY[:-1], "worker.beat", "beat", "--loglevel=INFO", "--pidfile="], launch=fork)


def _node(name: str) -> str:
    return f"{name}@{socket.gethostname()}"
