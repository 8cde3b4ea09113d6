"""What the work at hand is about: the ids that every line of the log carries, and that a trace is told."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

request: ContextVar[str] = ContextVar("request", default="")
"""The HTTP request, Celery message or entry of the stream."""
campaign: ContextVar[str] = ContextVar("campaign", default="")
job: ContextVar[str] = ContextVar("job", default="")

_ALL = {"request": request, "campaign": campaign, "job": job}
_is_plain = re.compile(r"[0-9A-Za-z_.:/-]{1,128}").fullmatch
_public_ids = re.compile(r"(camp|job)_[0-9a-z]{26}")


def begin(request_id: str = "") -> None:
    """Begin something else, and forget what was known of the last. What may be more than an id is left out."""
    request.set(request_id if _is_plain(request_id) else "")
    campaign.set("")
    job.set("")


def about(*, campaign_id: str | None = None, job_id: str | None = None) -> None:
    """Note what it is about. Ids that are not ours are left out: they may be anything."""
    for variable, given in ((campaign, campaign_id), (job, job_id)):
        if given and _public_ids.fullmatch(given):
            variable.set(given)


@contextmanager
def about_one_job(job_id: str) -> Generator[None]:
    """Note the job that the next lines are about, among others."""
    before = job.set(job_id)
    try:
        yield
    finally:
        job.reset(before)


def about_address(path: str) -> None:
    """Note what the address of a request is about."""
    for found in _public_ids.finditer(path):
        (campaign if found[1] == "camp" else job).set(found[0])


def ids() -> dict[str, str]:
    """Give what is known."""
    return {name: value for name, variable in _ALL.items() if (value := variable.get())}
