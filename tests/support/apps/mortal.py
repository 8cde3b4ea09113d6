"""The worker's app, whose pool processes kill themselves around one commit in twenty: before it, or right after."""

import os
import random
import signal
from typing import Any

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


event.listen(Engine, "commit", _die_now_and_then)
event.listen(Engine, "commit", _commit_and_die_now_and_then)
