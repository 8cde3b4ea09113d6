"""Sources of webhooks: create, look at, try out, change the secret, disable."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from domain.bulk_upsert import Limits
from domain.source import SourceRules
from worker.reports.source_preview import Preview, preview
from worker.reports.sources import DeliveryReport, SourceReport, list_deliveries, list_sources, report, show_source
from worker.settings import settings
from worker.store import sources
from worker.store.sources import KnownSource
from worker.web.body import demand_plain_json
from worker.web.caller import CampaignsWriter, Reader
from worker.web.campaigns import Name
from worker.web.openapi import ANY_JSON, failures
from worker.web.paging import DEFAULT_LIMIT, Cursor, Limit, number_of, page
from worker.web.shapes import Data, Page
from worker.web.threads import in_thread

router = APIRouter(prefix="/sources", tags=["Webhooks"])

MAX_OVERLAP_HOURS = 7 * 24


class SourceInput(SourceRules):
    """A source to be made."""

    name: Name = Field(examples=["Signup form"])
    campaign_id: str


class Rotation(BaseModel):
    """How the secret is to change."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    overlap_hours: int = Field(default=24, ge=0, le=MAX_OVERLAP_HOURS, description="How long the old one stays good.")
    secret: str | None = Field(default=None, description="One is made up where none is given.")


class SourceWithSecret(SourceReport):
    """A source right after it got its secret: the one time that the secret is shown."""

    secret: str


async def _plain_json_if_any(request: Request) -> None:
    if await request.body():
        demand_plain_json(request)


@router.post("", status_code=201, dependencies=[Depends(demand_plain_json)], responses=failures(400, 404, 413, 415))
def create(request: Request, given: SourceInput, key: CampaignsWriter) -> Data[SourceWithSecret]:
    """Create a source; its URL and its secret go to the sender, the secret is not shown again."""
    return _with_secret(sources.create_source(key.workspace, given.campaign_id, given.name, given), request)


@router.get("", responses=failures(400))
def list_(request: Request, key: Reader, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[SourceReport]:
    """List the sources, newest first."""
    found = list_sources(limit + 1, key.workspace, str(request.base_url), number_of(cursor, "src"))
    return page(found, limit, lambda source: source.id)


@router.get("/{source_id}", responses=failures(404))
def show(request: Request, source_id: str, key: Reader) -> Data[SourceReport]:
    """Show a source."""
    return Data(data=show_source(source_id, key.workspace, str(request.base_url)))


@router.post("/{source_id}/rotate", dependencies=[Depends(_plain_json_if_any)], responses=failures(400, 404, 413, 415))
def rotate(
    request: Request, source_id: str, key: CampaignsWriter, given: Annotated[Rotation | None, Field()] = None
) -> Data[SourceWithSecret]:
    """Give a source another secret, which is shown this once; meanwhile both are good."""
    asked = given or Rotation()
    overlap = timedelta(hours=asked.overlap_hours)
    return _with_secret(sources.rotate_secret(source_id, key.workspace, overlap, asked.secret), request)


@router.post("/{source_id}/disable", responses=failures(404))
def disable(request: Request, source_id: str, key: CampaignsWriter) -> Data[SourceReport]:
    """Take nothing from a source until it is enabled: its deliveries are answered as if it did not exist."""
    return _shown(sources.switch_source(source_id, key.workspace, on=False), request)


@router.post("/{source_id}/enable", responses=failures(404))
def enable(request: Request, source_id: str, key: CampaignsWriter) -> Data[SourceReport]:
    """Take deliveries from a source again."""
    return _shown(sources.switch_source(source_id, key.workspace, on=True), request)


@router.post(
    "/{source_id}/preview",
    openapi_extra=ANY_JSON,
    responses={200: {"model": Data[Preview]}} | failures(400, 404, 413, 415),
)
async def try_out(request: Request, source_id: str, key: Reader) -> Data[Preview]:
    """Say what a sample payload, the body of this call, would become. Nothing is written."""
    demand_plain_json(request)
    limits = Limits(settings().max_leads, settings().max_body_bytes)
    return Data(data=await in_thread(preview, source_id, await request.body(), limits, key.workspace))


@router.get("/{source_id}/deliveries", responses=failures(404))
def deliveries(source_id: str, key: Reader) -> Page[DeliveryReport]:
    """List what became of the last 50 deliveries, newest first."""
    return Page(data=list_deliveries(source_id, key.workspace), next_cursor=None)


def _shown(known: KnownSource, request: Request) -> Data[SourceReport]:
    return Data(data=report(known, str(request.base_url)))


def _with_secret(known: KnownSource, request: Request) -> Data[SourceWithSecret]:
    shown = report(known, str(request.base_url))
    return Data(data=SourceWithSecret(**dict(shown), secret=known.row.secret))
