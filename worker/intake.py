"""The door for producers without Celery: entries of the stream `enrollment:intake` become jobs, in their order.

    XADD enrollment:intake * campaign_id camp_… leads '[{"email": …}, …]' idempotency_key …

What holds the order, even when a frozen reader wakes up: a reader takes only the oldest entries that are not done
(see `worker.stream_queue`), and the id of an entry is the key of its job. So before an entry becomes a job, each
older one is a job or becomes one earlier in the same transaction, whichever readers are at work; whoever does it again
changes nothing. The lock is no part of that: it keeps readers from doing everything twice. It is held by a transaction
beside the one that commits the jobs, because it must last longer: until what was refused is buried and all is
acknowledged, or the next reader would bury it again.

An id holds the milliseconds of Redis' clock. Should that clock go back, and Redis be emptied, an id could come again.
That is accepted: an entry that differs from the first becomes a dead letter (`idempotency_key_reused`), and an equal
one is taken for it.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from redis import RedisError

from domain.bulk_upsert import Limits, leads_of_list
from domain.errors import InvalidRequest, Refusal
from domain.job import IdempotencyKey
from worker import dead_letters, stream_lock
from worker.messages import read_bulk_upsert
from worker.observability import context
from worker.patience import WorkerStopping, until_done
from worker.settings import settings
from worker.store import ledger, schema
from worker.store.connection import transaction
from worker.store.trouble import may_lie_in_the_request
from worker.stream_queue import STREAM, Entry, IntakeStream
from worker.telemetry import where_and_what

_STANDBY_SECONDS = 1.0
_FIELDS = ("campaign_id", "leads", "idempotency_key")

log = logging.getLogger(__name__)


def read_until(asked_to_stop: Callable[[], bool]) -> None:
    """Make jobs of entries, as the active reader or standing by for it. Trouble with the servers is waited out.

    Raises `TablesTooOld`.
    """
    stream = IntakeStream.connect()
    was_active = None
    with suppress(WorkerStopping):
        until_done(schema.demand_current)
        while not asked_to_stop():
            active = until_done(partial(take_in, stream))
            if active != was_active:
                log.info("reading the stream %s" if active else "standing by: another reads the stream %s", STREAM)
            if not active:
                time.sleep(_STANDBY_SECONDS)
            was_active = active


def take_in(stream: IntakeStream) -> bool:
    """Make jobs of the oldest entries, or wait a moment for some; False when another reader is active."""
    with transaction() as session:
        if not stream_lock.take(session):
            return False
        entries = stream.oldest()
        if entries:
            _make_jobs(entries)
            stream.done(entries)
    return True


def _make_jobs(entries: Sequence[Entry]) -> None:
    """Have each entry accepted as a job, or buried with the reason. Returns once that will last."""
    judged = [_judge(entry) for entry in entries]
    accepted = iter(_accept([request for request in judged if isinstance(request, ledger.Request)]))
    for entry, request in zip(entries, judged, strict=True):
        reason = next(accepted) if isinstance(request, ledger.Request) else request
        if reason is not None:
            context.begin(entry.id)
            dead_letters.bury(reason, _shown(entry))


def _judge(entry: Entry) -> ledger.Request | str:
    """Give the request that an entry makes, or the reason why it makes none."""
    try:
        return _request(entry)
    except Refusal as refusal:
        return _reason(refusal)
    except Exception as error:  # noqa: BLE001  # its neighbours must not wait for us to learn to read it
        return _internal_error(entry.id, error)


def _request(entry: Entry) -> ledger.Request:
    try:
        given = {name: entry.fields[name.encode()].decode() for name in _FIELDS if name.encode() in entry.fields}
    except UnicodeDecodeError as error:
        raise InvalidRequest(reason=f"not UTF-8: {error.reason} at byte {error.start}") from None
    message = read_bulk_upsert((), given)
    leads = leads_of_list(message.leads, Limits(settings().max_leads, settings().max_body_bytes))
    if message.idempotency_key is None:
        return ledger.Request.of(message.campaign_id, leads, IdempotencyKey("stream", entry.id))
    return ledger.Request.of(message.campaign_id, leads, IdempotencyKey("user", message.idempotency_key))


def _accept(requests: Sequence[ledger.Request]) -> list[str | None]:
    """Commit requests as jobs, in order; give for each the reason why it was refused, if it was."""
    outcomes = ledger.accept_together(requests)
    return [_reason_of(request, outcome) for request, outcome in zip(requests, outcomes, strict=True)]


def _may_lie_in_the_entry(error: Exception) -> bool:
    # A missing table or right is nobody's entry: burying all of them for it would lose them.
    return may_lie_in_the_request(error) and not isinstance(error, RedisError)


def _reason_of(request: ledger.Request, outcome: ledger.Acceptance | Exception) -> str | None:
    if isinstance(outcome, ledger.Acceptance):
        return None
    if isinstance(outcome, Refusal):
        return _reason(outcome)
    if not _may_lie_in_the_entry(outcome):
        raise outcome
    return _internal_error(request.key, outcome)


def _reason(refusal: Refusal) -> str:
    return f"{refusal.code}: {refusal}"


def _internal_error(what: object, error: Exception) -> str:
    log.error("the entry %s cannot become a job: %s", what, where_and_what(error))
    return f"internal_error: {type(error).__name__}"


def _shown(entry: Entry) -> dict[str, object]:
    fields = {_text(name): _text(value) for name, value in entry.fields.items()}
    return {"stream": STREAM, "id": entry.id, "fields": fields}


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")
