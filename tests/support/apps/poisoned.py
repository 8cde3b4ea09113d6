"""The worker's app, in which a job with a lead `poison@x.test` kills the process that applies it."""

import os
import signal
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from worker.celery import app
from worker.store import merging

__all__ = ["app"]

_apply_jobs = merging.apply_jobs


def _apply_or_die(session: Any, campaign: int, numbers: Sequence[int]) -> Any:
    rows = session.connection().execute(text("SELECT rows FROM job WHERE id = ANY(:numbers)"), {"numbers": [*numbers]})
    if any(b"poison@x.test" in bytes(of_job) for (of_job,) in rows):
        os.kill(os.getpid(), signal.SIGKILL)
    return _apply_jobs(session, campaign, numbers)


merging.apply_jobs = _apply_or_die
