"""An import: a file of leads that becomes jobs, and how far that is."""

from datetime import datetime, timedelta
from typing import Literal

ImportStatus = Literal["running", "complete", "incomplete"]
"""`complete`: all of the file was accepted and is applied. `incomplete`: it was cut short; what was accepted stays."""

SILENCE = timedelta(seconds=60)
"""Whoever reads the file is heard of more often than that, or is no more."""


def status_of(reading: ImportStatus, heard_at: datetime, now: datetime, waiting_jobs: int) -> ImportStatus:
    """Tell the status from how the reading of the file ended, if it did, and from the jobs that still wait."""
    if reading == "running" and now - heard_at > SILENCE:
        return "incomplete"
    return "running" if reading == "complete" and waiting_jobs else reading


def why_of(reading: ImportStatus, status: ImportStatus, why: str | None) -> str | None:
    """Tell why an import is incomplete; a process that was killed could not say it."""
    return "whoever read the file is gone" if (reading, status) == ("running", "incomplete") else why
