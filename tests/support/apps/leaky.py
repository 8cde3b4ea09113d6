"""The worker's app, in which errors quote what leads hold: in the merge, and in the transport."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from worker.celery import app
from worker.store import merging
from worker.transport.file import FileTransport

__all__ = ["app"]

_apply_jobs = merging.apply_jobs
_deliver = FileTransport.deliver


def _apply_or_quote(session: Any, campaign: int, numbers: Sequence[int]) -> Any:
    rows = session.connection().execute(text("SELECT rows FROM job WHERE id = ANY(:numbers)"), {"numbers": [*numbers]})
    for (of_job,) in rows:
        if b"unmergeable" in bytes(of_job):
            raise ValueError(bytes(of_job).decode())
    return _apply_jobs(session, campaign, numbers)


def _deliver_or_quote(self: FileTransport, message: Any) -> None:
    if "undeliverable" in message.to:
        raise ValueError(f"{message.to} {message.html}")
    _deliver(self, message)


merging.apply_jobs = _apply_or_quote
FileTransport.deliver = _deliver_or_quote
