"""`POST /v1/campaigns/{id}/leads/bulk`: the bulk upsert."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from domain.api_key import ApiKey
from domain.bulk_upsert import BulkUpsertAnswer, Limits, leads_of_body
from domain.errors import JobDead
from domain.rows import fold
from worker.observability.context import about
from worker.reports.dry_run import dry_run
from worker.reports.jobs import JobReport
from worker.settings import settings
from worker.store.ledger import Acceptance
from worker.store.ledger import Request as LedgerRequest
from worker.web.body import demand_plain_json
from worker.web.caller import LeadsWriter
from worker.web.doors import doors_of
from worker.web.openapi import failures, raw_body
from worker.web.preferences import idempotency_key, seconds_to_wait
from worker.web.shapes import Accepted, Data
from worker.web.threads import in_thread

T = TypeVar("T")

router = APIRouter(tags=["Leads"])

# From here on reading and judging may hold up other requests for longer than the way to a thread takes: leads of two
# bytes, bad all of them, take 10 µs each.
_LARGE_BODY_BYTES = 4 * 1024


class LeadInput(BaseModel):
    """A lead; any further key is a custom variable: a string, number, boolean or null."""

    model_config = ConfigDict(extra="allow", title="LeadInput")

    email: str = Field(examples=["priya.sharma@voltmetrics.io"])
    firstName: str | None = Field(default=None, examples=["Priya"])  # noqa: N815  # as it stands in the JSON
    company: str | None = Field(default=None, examples=["Voltmetrics"])
    jobTitle: str | None = Field(default=None, examples=["VP of Sales"])  # noqa: N815  # as above


class BulkUpsertBody(BaseModel):
    """1 to 10,000 leads."""

    leads: list[LeadInput]


DryRun = Annotated[bool, Query(alias="dryRun", description="Say what would become of it, and write nothing.")]


@router.post(
    "/campaigns/{campaign_id}/leads/bulk",
    summary="Upsert and enroll leads",
    openapi_extra=raw_body({"application/json": BulkUpsertBody}),
    responses={200: {"model": Data[BulkUpsertAnswer]}, 202: {"model": Data[Accepted]}}
    | failures(400, 404, 413, 415, 422, 429, 500, 503),
)
async def bulk_upsert(request: Request, campaign_id: str, key: LeadsWriter, *, dry: DryRun = False) -> Response:
    """Create, update and enroll leads, all in one job.

    Waits for the job up to 10 s (`Prefer: wait=N`, at most 30) and answers 200; else, or with `Prefer: respond-async`,
    202 with the job's address. Either way the job is committed before the answer. `Idempotency-Key`: the same key and
    the same request give the same job. A bad row never fails its neighbours: it comes back in `errors`.
    """
    if dry:
        demand_plain_json(request)
        return await in_thread(_dry_run, campaign_id, await request.body(), key)
    return await upsert(request, campaign_id, key)


async def upsert(request: Request, campaign_id: str, key: ApiKey) -> Response:
    """Serve a bulk upsert of a key that may do it."""
    demand_plain_json(request)
    seconds, used_key = seconds_to_wait(request), idempotency_key(request)
    body = await request.body()
    doors = doors_of(request)
    await doors.backlog.check(key.workspace)
    ledger_request = await _off_the_loop_if_large(
        body, lambda: LedgerRequest.of(campaign_id, _leads(body), used_key, key.workspace)
    )
    accepted = await doors.commit.accept(ledger_request)
    about(job_id=accepted.job_id)
    finished = await doors.waiting.wait_for(accepted, seconds) if seconds else None
    return await _off_the_loop_if_large(body, lambda: answer(request, accepted, finished))


def answer(request: Request, accepted: Acceptance, finished: JobReport | None) -> JSONResponse:
    """200 with what became of it, or 202 with where to look; `JobDead` where the job died meanwhile."""
    headers = dict(request.state.rate_limit_headers)
    if accepted.replayed:
        headers["Idempotent-Replayed"] = "true"
    if finished is None:
        where = f"/v1/jobs/{accepted.job_id}"
        told = Accepted(job_id=accepted.job_id, received=accepted.received, errors=accepted.errors)
        return _data(told, 202, headers | {"Location": where})
    if finished.status == "dead":
        raise JobDead(job_id=finished.id)
    counts = {name: getattr(finished, name) for name in _COUNTS}
    return _data(BulkUpsertAnswer(job_id=accepted.job_id, errors=accepted.errors, **counts), 200, headers)


_COUNTS = ("received", "created", "updated", "unchanged", "enrolled", "duplicates", "skipped")


def _dry_run(campaign_id: str, body: bytes, key: ApiKey) -> JSONResponse:
    folded = fold(_leads(body))
    counts = dry_run(campaign_id, folded, key.workspace)
    told: Any = {**counts.model_dump(include=set(_COUNTS)), "errors": folded.errors, "job_id": None}
    return _data(BulkUpsertAnswer(**told), 200, {})


def _leads(body: bytes) -> list[object]:
    return leads_of_body(body, Limits(settings().max_leads, settings().max_body_bytes))


async def _off_the_loop_if_large(body: bytes, work: Callable[[], T]) -> T:
    return await in_thread(work) if len(body) > _LARGE_BODY_BYTES else work()


def _data(told: BaseModel, status: int, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse({"data": told.model_dump(mode="json", by_alias=True)}, status, headers)
