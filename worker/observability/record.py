"""What the work tells the metrics: once a batch, after its commit.

The instruments are imported at the first word, not with this module: importing them takes 0.1 s, which most commands
need not pay, and a worker first decides where its processes count.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from time import monotonic, time
from typing import Any

from domain.stage import Stage
from worker.observability.labels import ErrorClass, RowOutcome, SendOutcome


def accepted(began: float, fresh: int, replayed: int) -> None:
    """Requests were committed together, as jobs or as repetitions of jobs."""
    to = _instruments()
    to.items_accepted.inc(fresh)
    to.items_finished.labels("accept", "ok").inc(fresh)
    to.items_finished.labels("accept", "skipped").inc(replayed)
    to.item_run.labels("accept").observe(monotonic() - began)


def buried() -> None:
    """A message cannot become a job."""
    _instruments().items_finished.labels("accept", "dead").inc()


def applied(began: float, waits: Sequence[float], rows: Mapping[RowOutcome, int]) -> None:
    """Jobs were applied together. `waits`: for how long each was accepted before."""
    to = _instruments()
    to.items_finished.labels("apply", "ok").inc(len(waits))
    to.item_run.labels("apply").observe(monotonic() - began)
    _observe(to.item_wait.labels("apply"), waits)
    for outcome, count in rows.items():
        to.rows.labels(outcome).inc(count)


def failed(stage: Stage, error_class: ErrorClass, items: int = 1) -> None:
    """A try at these items failed; they are tried again."""
    to = _instruments()
    to.item_errors.labels(stage, error_class).inc(items)
    to.items_finished.labels(stage, "retry").inc(items)


def died(stage: Stage, items: int = 1) -> None:
    """These items are given up."""
    _instruments().items_finished.labels(stage, "dead").inc(items)


def released(began: float, leads: int, sends: int, due_since: datetime) -> None:
    """Leads became sends, together; fewer sends than leads: the others would have been a step's second."""
    to = _instruments()
    to.items_finished.labels("release", "ok").inc(leads)
    to.duplicate_sends_prevented.inc(leads - sends)
    to.item_run.labels("release").observe(monotonic() - began)
    _observe(to.item_wait.labels("release"), [time() - due_since.timestamp()])


def release_succeeded() -> None:
    """Whoever was due is released, or nobody was."""
    _instruments().release_succeeded.set_to_current_time()


def claimed(due_since: Iterable[datetime]) -> None:
    """Sends were taken up for the first time."""
    now = time()
    _observe(_instruments().item_wait.labels("deliver"), [now - since.timestamp() for since in due_since])


def delivered(began: float, outcomes: Mapping[SendOutcome, int], accepted_at: Iterable[datetime]) -> None:
    """Sends were handed over, and what became of them is written. `accepted_at`: of the jobs that brought them."""
    to = _instruments()
    for outcome, count in outcomes.items():
        to.sends.labels(to.provider(), outcome).inc(count)
    to.items_finished.labels("deliver", "ok").inc(outcomes.get("accepted", 0))
    if lost := outcomes.get("failed", 0):
        to.items_finished.labels("deliver", "dead").inc(lost)
        to.item_errors.labels("deliver", "rejected").inc(lost)
    if outcomes.get("unknown"):
        to.items_finished.labels("deliver", "dead").inc(outcomes["unknown"])
        to.item_errors.labels("deliver", "internal").inc(outcomes["unknown"])
    to.item_run.labels("deliver").observe(monotonic() - began)
    now = time()
    _observe(to.end_to_end, [now - since.timestamp() for since in accepted_at])


def expired(sends: int) -> None:
    """Workers died while these sends were leaving."""
    to = _instruments()
    to.items_finished.labels("deliver", "expired").inc(sends)
    to.sends.labels(to.provider(), "unknown").inc(sends)


def duplicate_prevented() -> None:
    """A send was not begun: whoever wanted to has it no longer."""
    _instruments().duplicate_sends_prevented.inc()


def operator_acted(action: str, result: str) -> None:
    """A person did something, or was refused it."""
    _instruments().operator_actions.labels(action, result).inc()


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """A request was answered."""
    _instruments().http_requests.labels(method, route, str(status)).observe(seconds)


def _observe(histogram: Any, values: Iterable[float]) -> None:
    for value in values:
        histogram.observe(max(value, 0.0))


def _instruments() -> Any:
    from worker.observability import instruments  # noqa: PLC0415  # see above

    return instruments
