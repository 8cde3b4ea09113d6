"""The worker's app, whose pool processes kill themselves around one commit in twenty: before it, or right after."""

import os
import random
import signal
from typing import Any

from celery.signals import worker_process_init
from sqlalchemy import Engine, event

from support.apps.impatient import app

__all__ = ["app"]

_DEATHS = 0.05
_chance = random.SystemRandom()


def _die_now_and_then(_: Any) -> None:
    if _chance.random() < _DEATHS / 2:
        os.kill(os.getpid(), signal.SIGKILL)


def _commit_and_die_now_and_then(connection: Any) -> None:
    if _chance.random() < _DEATHS / 2:
        connection.connection.driver_connection.commit()
        os.kill(os.getpid(), signal.SIGKILL)


@worker_process_init.connect
def _be_mortal(**_: Any) -> None:
    """From now on: the main process, which looks at the tables when it starts and beats, lives."""
    event.listen(Engine, "commit", _die_now_and_then)
    event.listen(Engine, "commit", _commit_and_die_now_and_then)
