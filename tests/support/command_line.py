"""The command line, run inside this process: what it printed, and its exit code."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from typer.testing import CliRunner

from support.database import sql
from support.polling import pause
from worker.cli.main import app
from worker.enrolling import take_turn


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)


def enroll(*arguments: object) -> Said:
    """Run `enroll …`; an error that it did not foresee is raised."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="enroll")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


@contextmanager
def applying() -> Iterator[None]:
    """Apply whatever is accepted meanwhile, as a worker would."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            for (campaign,) in sql("SELECT DISTINCT campaign_id FROM job WHERE status = 'accepted'"):
                take_turn(campaign)
            pause(0.005)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()
