"""The worker's app, in which a job with a lead `poison@x.test` kills the process that applies it."""

import os
import signal
from collections.abc import Sequence
from typing import Any

from worker.celery import app
from worker.store import merging

__all__ = ["app"]

_apply_jobs = merging.apply_jobs


def _apply_or_die(session: Any, campaign: int, numbers: Sequence[int]) -> Any:
    if any(b"poison@x.test" in rows for rows in merging._job_bytes(session, numbers)):
        os.kill(os.getpid(), signal.SIGKILL)
    return _apply_jobs(session, campaign, numbers)


merging.apply_jobs = _apply_or_die
