"""`POST /hooks/{src_id}`: what senders of webhooks deliver. Verified over the raw bytes, mapped, accepted."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, cast

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.background import BackgroundTask

from domain.bulk_upsert import Limits
from domain.errors import Refusal
from domain.job import IdempotencyKey
from domain.rows import RowError
from domain.signature import SECRET_BYTES, Seal, fault_of_signature, new_secret
from domain.source import Mapped, Outcome, body_key, message_key, read_payload, summary
from worker.observability.context import about
from worker.reports.shapes import Shape
from worker.settings import settings
from worker.store import deliveries
from worker.store.ledger import Acceptance
from worker.store.ledger import Request as LedgerRequest
from worker.store.sources import Hook, look_up
from worker.store.trouble import reason_of
from worker.web.doors import doors_of
from worker.web.errors import failure
from worker.web.openapi import ANY_JSON, failures
from worker.web.shapes import Data
from worker.web.threads import in_thread

router = APIRouter(prefix="/hooks", tags=["Webhooks"])

log = logging.getLogger(__name__)

# What an unknown source is checked against, so that it takes as long as a known one.
_NOBODY = Seal("standard", (new_secret("standard", bytes(SECRET_BYTES)),) * 2)


class Delivered(Shape):
    """A delivery that was taken. One without leads makes no job."""

    job_id: str | None
    status: Literal["accepted", "no_leads"]
    received: int
    errors: list[RowError]


@router.post(
    "/{source_id}",
    status_code=202,
    openapi_extra=ANY_JSON,
    responses={202: {"model": Data[Delivered]}} | failures(400, 413, 422, 429),
)
async def receive(request: Request, source_id: str) -> Response:
    """Take a delivery of a source: signed by its scheme, answered once its job is committed.

    The same id is the same job. A bad signature, an unknown source and a disabled one are answered alike: 401. What
    became of a delivery stands in `GET /v1/sources/{id}/deliveries`.
    """
    body = await request.body()
    hook, fault = await in_thread(_check, source_id, request.headers, body)
    if hook is None or fault is not None:
        return _refused(request, hook, fault)
    try:
        return await _take(request, hook, body)
    except Refusal as refusal:
        # A sender that is told 4xx tries again for hours: a mapping that is mended meanwhile loses nothing.
        await _note(hook, cast("Outcome", refusal.code), str(refusal))
        raise


def _check(source_id: str, headers: Mapping[str, str], body: bytes) -> tuple[Hook | None, str | None]:
    hook, now = look_up(source_id)
    fault = fault_of_signature(hook.seal if hook else _NOBODY, headers, body, now)
    return hook, "the source is disabled" if hook and hook.disabled else fault


def _refused(request: Request, hook: Hook | None, fault: str | None) -> Response:
    answer = failure(401, "authentication_failed", "This is not signed as it must be, or there is nothing here.")
    times = doors_of(request).refusals.count(hook.number, fault) if hook and fault else 0
    if hook and fault and times:
        # After the answer: else a known source would take longer to say no than an unknown one.
        answer.background = BackgroundTask(_quietly, partial(deliveries.count_refusals, hook.number, fault, times))
    return answer


async def _take(request: Request, hook: Hook, body: bytes) -> Response:
    doors = doors_of(request)
    await doors.backlog.check(hook.workspace)
    limits = Limits(settings().max_leads, settings().max_body_bytes)
    mapped = await in_thread(read_payload, hook.recipe, body, limits)
    if not mapped.leads:
        await _note(hook, "no_leads", "leadsPath finds no leads in this payload")
        return _answer(Delivered(job_id=None, status="no_leads", received=0, errors=[]))
    ledger_request = await in_thread(_as_request, hook, mapped, request.headers, body)
    accepted = await doors.commit.accept(ledger_request)
    about(campaign_id=hook.campaign_id, job_id=accepted.job_id)
    told = summary(accepted.errors, mapped.faults, accepted.received)
    await _note(hook, "replayed" if accepted.replayed else "accepted", told, accepted.job_number)
    return _accepted(accepted)


def _as_request(hook: Hook, mapped: Mapped, headers: Mapping[str, str], body: bytes) -> LedgerRequest:
    message_id = mapped.message_id or headers.get(hook.id_header)
    key = message_key(hook.source_id, message_id) if message_id else _usable_body_key(hook, body)
    return LedgerRequest.of(hook.campaign_id, mapped.leads, key, hook.workspace)


def _usable_body_key(hook: Hook, body: bytes) -> IdempotencyKey:
    key = body_key(hook.source_id, body)
    deliveries.free_key(hook.workspace, key)
    return key


def _accepted(accepted: Acceptance) -> JSONResponse:
    told = Delivered(job_id=accepted.job_id, status="accepted", received=accepted.received, errors=accepted.errors)
    replayed = {"Idempotent-Replayed": "true"} if accepted.replayed else {}
    return _answer(told, {"Location": f"/v1/jobs/{accepted.job_id}", **replayed})


def _answer(told: Delivered, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"data": told.model_dump(mode="json", by_alias=True)}, 202, headers)


async def _note(hook: Hook, outcome: Outcome, detail: str | None, job: int | None = None) -> None:
    await in_thread(_quietly, partial(deliveries.record_delivery, hook.number, outcome, detail, job))


def _quietly(write: Callable[[], None]) -> None:
    try:
        write()
    except SQLAlchemyError as error:
        log.warning("what became of a delivery is not written down: %s", reason_of(error))
