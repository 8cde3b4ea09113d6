"""The Celery tasks, in the order in which things happen. Each is a short pipeline of named steps.

A task never raises because PostgreSQL or Redis is out of reach: Celery would acknowledge its message, which would be
gone. It waits; and a worker that is to stop meanwhile gives the message back to the queue.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any, TypeVar

from celery.exceptions import Reject
from sqlalchemy.exc import DBAPIError

from domain.bulk_upsert import Limits, leads_of_list
from domain.errors import Refusal
from worker import dead_letters, nudges
from worker.celery import app
from worker.delivering import deliver_turn
from worker.enrolling import take_turn
from worker.maintaining import operate_turn
from worker.messages import BulkUpsertMessage, key_of, read_bulk_upsert, read_campaign_id
from worker.observability import context, record, tracing
from worker.patience import WorkerStopping, until_done
from worker.reports.ops.broker import look
from worker.reports.ops.now import read_stages
from worker.settings import settings
from worker.store import imports, ledger, operating, outbox, progress, stages, sweeping, workers
from worker.store.campaigns import find_campaign
from worker.store.connection import transaction
from worker.store.trouble import StoreUnusable, is_store_trouble, may_lie_in_the_request, reason_of
from worker.telemetry import where_and_what
from worker.transport import Transport, open_transport

T = TypeVar("T")

BULK_UPSERT = "leads.bulk_upsert"
SWEEP = "maintenance.sweep"

log = logging.getLogger(__name__)


@app.task(name=BULK_UPSERT, bind=True)
def bulk_upsert(self: Any, *args: Any, **kwargs: Any) -> None:
    """Accept the leads of a message as one job, or bury the message."""

    def accept() -> None:
        message = read_bulk_upsert(args, kwargs)
        context.about(campaign_id=message.campaign_id)
        with tracing.span(BULK_UPSERT):
            _commit(ledger.Request.of(message.campaign_id, _leads(message), key_of(message, str(self.request.id))))

    _or_bury(BULK_UPSERT, args, kwargs, accept)


@app.task(name=nudges.APPLY)
def apply(*args: Any, **kwargs: Any) -> None:
    """Take a turn in the lane of a campaign that has accepted jobs."""
    _or_bury(nudges.APPLY, args, kwargs, lambda: _turn(nudges.APPLY, read_campaign_id(args, kwargs)))


@app.task(name=nudges.RELEASE)
def release(*args: Any, **kwargs: Any) -> None:
    """Take a turn in the lane of a campaign that may have due leads; of every such campaign when none is named."""

    def release_one_or_all() -> None:
        if any(args) or kwargs.get("campaign_id") is not None:
            _turn(nudges.RELEASE, read_campaign_id(args, kwargs))
        else:
            _nudge_releases()

    _or_bury(nudges.RELEASE, args, kwargs, release_one_or_all)


@app.task(name=nudges.DELIVER)
def deliver(*_args: Any, **_kwargs: Any) -> None:
    """Hand over queued sends."""
    nudges.take_up(nudges.DELIVER)
    if _patiently(lambda: deliver_turn(_transport())):
        nudges.deliver()


@app.task(name=nudges.OPERATE)
def operate(*_args: Any, operation: int = 0, **_kwargs: Any) -> None:
    """Work on a bulk operation for a turn."""
    if _patiently(lambda: operate_turn(operation)):
        nudges.operate(operation)


@app.task(name=SWEEP)
def sweep(*_args: Any, **_kwargs: Any) -> None:
    """Find what lost nudges, dead workers and the passing of time left behind. No part keeps the next from its turn."""
    nudging = (nudges.forget_lost, _nudge_lanes, _nudge_releases, _nudge_delivery)
    for part in (*nudging, _expire_claims, _sample, _nudge_operations, _forget):
        _try(part)


def _commit(request: ledger.Request) -> None:
    """Commit a request; whatever cannot be its own fault is trouble, to be waited out: burying it would lose it."""
    try:
        context.about(job_id=ledger.accept_request(request).job_id)
    except DBAPIError as error:
        if may_lie_in_the_request(error) or is_store_trouble(error):
            raise
        raise StoreUnusable(reason_of(error)) from None


def _leads(message: BulkUpsertMessage) -> list[object]:
    return leads_of_list(message.leads, Limits(settings().max_leads, settings().max_body_bytes))


def _turn(task: str, campaign_id: str) -> None:
    context.about(campaign_id=campaign_id)
    nudges.take_up(task, campaign_id)
    with transaction() as session:
        campaign = find_campaign(session, campaign_id)
    if take_turn(campaign.number):
        nudges.apply(campaign.public_id)


def _try(part: Callable[[], None]) -> None:
    try:
        _patiently(part)
    except Reject:
        raise
    except Exception as error:  # noqa: BLE001  # the next sweep tries again
        log.error("a part of the sweep failed, %s: %s", part.__name__, where_and_what(error))


def _nudge_lanes() -> None:
    with transaction() as session:
        lanes = sweeping.lanes_with_jobs(session)
    for campaign in lanes:
        nudges.apply(campaign.public_id)


def _nudge_releases() -> None:
    with transaction() as session:
        campaigns = sweeping.campaigns_to_release(session)
    if not campaigns:
        record.release_succeeded()
    for campaign in campaigns:
        nudges.release(campaign.public_id)


def _nudge_delivery() -> None:
    with transaction() as session:
        waiting = sweeping.sends_are_waiting(session)
    if waiting:
        nudges.deliver()


def _expire_claims() -> None:
    with transaction() as session:
        expired = outbox.expire(session)
    record.expired(expired)


def _nudge_operations() -> None:
    with transaction() as session:
        unheard = operating.unheard(session)
    for operation in unheard:
        nudges.operate(operation)


def _sample() -> None:
    seen = read_stages(look())
    with transaction() as session:
        stages.sample(session, seen)


def _forget() -> None:
    retention = timedelta(days=settings().retention_days)
    with transaction() as session:
        ledger.forget_rows(session, retention)
    with transaction() as session:
        imports.forget_errors(session, retention)
    with transaction() as session:
        for forget in (stages.forget, workers.forget, operating.forget_previews, progress.fold):
            forget(session)


def _or_bury(task: str, args: tuple[Any, ...], kwargs: dict[str, Any], action: Callable[[], None]) -> None:
    """Do it; a message that is refused, or that breaks us, goes to the dead letters instead of getting lost."""
    try:
        _patiently(action)
    except Refusal as refusal:
        reason = f"{refusal.code}: {refusal}"
    except Reject:
        raise
    except Exception as error:  # noqa: BLE001  # Celery would drop the message
        log.error("%s failed: %s", task, where_and_what(error))
        reason = f"internal_error: {type(error).__name__}"
    else:
        return
    _patiently(lambda: dead_letters.bury(reason, {"task": task, "args": args, "kwargs": kwargs}))


def _patiently(action: Callable[[], T]) -> T:
    try:
        return until_done(action)
    except WorkerStopping:
        raise Reject("the worker is to stop", requeue=True) from None


@lru_cache(maxsize=1)
def _transport() -> Transport:
    return open_transport(settings().effective_transport_url)
