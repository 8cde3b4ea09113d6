"""The worker's app, in which errors quote what leads hold: in the merge, and in the transport."""

from collections.abc import Sequence
from typing import Any

from worker.celery import app
from worker.store import merging
from worker.transport.file import FileTransport

__all__ = ["app"]

_apply_jobs = merging.apply_jobs
_deliver = FileTransport.deliver


def _apply_or_quote(session: Any, campaign: int, numbers: Sequence[int]) -> None:
    for rows in merging._job_bytes(session, numbers):
        if b"unmergeable" in rows:
            raise ValueError(rows.decode())
    _apply_jobs(session, campaign, numbers)


def _deliver_or_quote(self: FileTransport, message: Any) -> None:
    if "undeliverable" in message.to:
        raise ValueError(f"{message.to} {message.html}")
    _deliver(self, message)


merging.apply_jobs = _apply_or_quote
FileTransport.deliver = _deliver_or_quote
