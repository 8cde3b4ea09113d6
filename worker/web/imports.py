"""Files over HTTP: a body of leads becomes jobs as it arrives, and an import that can be looked at."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.requests import ClientDisconnect

from domain.errors import Refusal
from domain.file_import import ImportStatus
from worker.files.header import Column
from worker.files.records import LineError
from worker.importing import Import
from worker.reports.imports import ImportReport, errors_as_csv, list_imports, read_import
from worker.reports.shapes import Shape
from worker.store.trouble import is_store_trouble
from worker.web.bulk import DryRun
from worker.web.caller import LeadsWriter, Reader
from worker.web.doors import doors_of
from worker.web.errors import STATUS, failure
from worker.web.import_request import KINDS, EndedEarly, Taken, asked_of, take_in
from worker.web.openapi import failures, raw_body
from worker.web.paging import DEFAULT_LIMIT, Cursor, Limit, number_of, page
from worker.web.shapes import Data, Page
from worker.web.threads import in_thread
from worker.web.upload import ConnectionCut, Upload

router = APIRouter(tags=["Imports"])

Maps = Annotated[
    Sequence[str],
    Query(
        alias="map",
        description='What a column is, "First Name:firstName"; "Notes:" leaves it out. May be given several times.',
        max_length=1_000,
    ),
]


class RejectedRow(Shape):
    """A row that was not taken, by the line where it starts."""

    line: int
    email: str | None
    field: str | None
    code: str
    message: str


class MappedColumn(Shape):
    """A column of the file and the field that it becomes; null: it is left out."""

    column: str
    field: str | None


class Uploaded(Shape):
    """A file that was read to its end. A dry run makes no import."""

    import_id: str | None
    campaign_id: str
    status: ImportStatus | None = None
    received: int
    accepted_rows: int
    errors: int
    jobs: int
    columns: list[MappedColumn]
    first_errors: list[RejectedRow]


class Rehearsed(Uploaded):
    """What an import would come to."""

    created: int
    updated: int
    unchanged: int
    enrolled: int
    duplicates: int
    skipped: int


@router.post(
    "/campaigns/{campaign_id}/leads/import",
    status_code=202,
    summary="Import a file of leads",
    openapi_extra=raw_body(dict.fromkeys(KINDS)),
    responses={200: {"model": Data[Rehearsed]}, 202: {"model": Data[Uploaded]}} | failures(400, 404, 413, 415, 429),
)
async def import_file(
    request: Request, campaign_id: str, key: LeadsWriter, maps: Maps = (), *, dry: DryRun = False
) -> Response:
    """Upsert and enroll the leads of a file: CSV, NDJSON (one lead a line), or XLSX (the first sheet).

    The body is read as it arrives and becomes jobs of 500 rows, few of them waiting at a time. 202 once all of it is
    accepted, with the import's address. An upload that is cut ends as `incomplete`, with what was accepted until then.
    CSV and XLSX name their columns in the first row; `map` says what is unclear. `Content-Encoding: gzip` is taken.
    """
    asked = asked_of(request, campaign_id, key.workspace, maps, dry=dry)
    doors = doors_of(request)
    if not dry:
        await doors.backlog.check(key.workspace)
    upload = Upload(request)
    outcome = await doors.imports.run(key.workspace, upload, partial(take_in, asked, upload))
    if isinstance(outcome, EndedEarly):
        return _ended_early(outcome)
    return await in_thread(_taken, outcome, dict(request.state.rate_limit_headers))


@router.get("/campaigns/{campaign_id}/imports", responses=failures(400, 404))
def list_(campaign_id: str, key: Reader, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[ImportReport]:
    """List the imports into a campaign, newest first."""
    found = list_imports(campaign_id, limit + 1, workspace=key.workspace, before=number_of(cursor, "imp"))
    return page(found, limit, lambda one: one.id)


@router.get("/imports/{import_id}", responses=failures(404))
def show(import_id: str, key: Reader) -> Data[ImportReport]:
    """Show an import: how far it is, and what its rows have come to by now."""
    return Data(data=read_import(import_id, key.workspace))


@router.get(
    "/imports/{import_id}/errors",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}} | failures(404, 410),
)
def errors(import_id: str, key: Reader) -> StreamingResponse:
    """Give the rows that were not taken as CSV: their lines, and why. No cell of it runs as a formula."""
    rows = errors_as_csv(import_id, key.workspace)
    headers = {"Content-Disposition": f'attachment; filename="{import_id.lower()}.errors.csv"'}
    return StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=headers)


def _taken(taken: Taken, headers: dict[str, str]) -> JSONResponse:
    sink = taken.sink
    told = {
        "import_id": None,
        "campaign_id": sink.campaign_id,
        "received": sink.received,
        "accepted_rows": sink.received - sink.rejected,
        "errors": sink.rejected,
        "columns": _columns(taken.columns),
        "first_errors": _rows(taken.first_errors),
    }
    if not isinstance(sink, Import):
        return _data(Rehearsed.model_validate({**told, **sink.counts, "jobs": sink.jobs}), 200, headers)
    status = read_import(sink.id).status
    shown = Uploaded.model_validate({**told, "import_id": sink.id, "status": status, "jobs": sink.jobs})
    return _data(shown, 202, headers | {"Location": f"/v1/imports/{sink.id}"})


def _ended_early(ended: EndedEarly) -> JSONResponse:
    error, import_id = ended
    if isinstance(error, ConnectionCut):
        raise ClientDisconnect
    if import_id is None:
        raise error
    if isinstance(error, Refusal):
        status, code, message = STATUS[error.code], error.code, str(error)
    elif is_store_trouble(error):
        status, code, message = 503, "unavailable", "The store cannot be reached."
    else:
        raise error
    told = f"{message} What was accepted until then is import {import_id}, which is incomplete."
    where = {"Location": f"/v1/imports/{import_id}"}
    return failure(status, code, told, details=[{"importId": import_id}], headers=where)


def _columns(columns: Sequence[Column]) -> list[MappedColumn]:
    return [MappedColumn(column=header, field=key) for header, key in columns]


def _rows(errors: Sequence[LineError]) -> list[RejectedRow]:
    return [RejectedRow(line=e.line, email=e.email, field=e.field, code=e.code, message=e.message) for e in errors]


def _data(told: Shape, status: int, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse({"data": told.model_dump(mode="json", by_alias=True)}, status, headers)
