"""What the upload of a file asks for, and the thread that takes it in."""

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import chain, islice
from typing import NamedTuple

from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError

from domain.errors import InvalidRequest, PayloadTooLarge, Refusal, UnsupportedMediaType
from worker.files.header import Column, Mapped, read_map
from worker.files.inflating import Inflated, Limited
from worker.files.leads_file import Kind, read_leads
from worker.files.records import LineError
from worker.importing import CutShort, Import, chunks, importing
from worker.rehearsing import Rehearsal, rehearsing
from worker.settings import settings
from worker.web.body import demand_content_type
from worker.web.upload import ConnectionCut, Upload

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KINDS: dict[str, Kind] = {"text/csv": "csv", "application/x-ndjson": "ndjson", XLSX: "xlsx"}
# Each part of the file waits at most so long for those before it to be applied: clients give up on an upload that
# stands still for 5 s.
PATIENCE_SECONDS = 2.0
SHOWN_ERRORS = 100

_LENGTH_DIGITS = 20
_BUFFER = 64 * 1024
_UTF_8 = {"", "utf-8", "utf8", "us-ascii", "ascii"}


class Asked(NamedTuple):
    """An upload, by what its head says."""

    campaign_id: str
    workspace: int
    kind: Kind
    gzipped: bool
    mapped: Mapped
    dry: bool


class Taken(NamedTuple):
    """An upload that came to its end."""

    sink: Import | Rehearsal
    columns: Sequence[Column]
    first_errors: list[LineError]


class EndedEarly(NamedTuple):
    """An upload that did not; `import_id` where something of it was accepted."""

    error: Exception
    import_id: str | None


def asked_of(request: Request, campaign_id: str, workspace: int, maps: Sequence[str], *, dry: bool) -> Asked:
    """Read the head; refuses what cannot be taken in before anything of the body is read."""
    kind = KINDS[demand_content_type(request, KINDS)]
    _demand_utf_8(request)
    gzipped = _is_gzipped(request)
    _refuse_too_long(request)
    return Asked(campaign_id, workspace, kind, gzipped, read_map(maps), dry)


def take_in(asked: Asked, upload: Upload) -> Taken | EndedEarly:
    """Read the upload to its end, in a thread that may wait."""
    sink: Import | Rehearsal | None = None
    try:
        with _beginning(asked) as sink, io.BufferedReader(_content(asked, upload), _BUFFER) as content:
            upload.each_time, upload.when_idle = sink.live, sink.keep_nothing_back
            with read_leads(content, asked.kind, asked.mapped, upload.live) as leads:
                errors = chain.from_iterable(map(sink.send, chunks(leads.records)))
                first = list(islice(errors, SHOWN_ERRORS))
                for _ in errors:
                    pass
                return Taken(sink, leads.columns, first)
    except (Refusal, ConnectionCut, SQLAlchemyError) as error:
        return EndedEarly(error, _accepted_by(sink))
    except CutShort as error:
        return EndedEarly(InvalidRequest(reason=str(error)), _accepted_by(sink))


def _beginning(asked: Asked) -> AbstractContextManager[Import] | AbstractContextManager[Rehearsal]:
    if asked.dry:
        return rehearsing(asked.campaign_id, asked.workspace)
    return importing(asked.campaign_id, asked.workspace, patience=PATIENCE_SECONDS)


def _content(asked: Asked, upload: Upload) -> io.RawIOBase:
    return Limited(Inflated(upload) if asked.gzipped else upload, settings().max_import_bytes)


def _accepted_by(sink: Import | Rehearsal | None) -> str | None:
    return sink.id if isinstance(sink, Import) and sink.received else None


def _demand_utf_8(request: Request) -> None:
    parameters = request.headers.get("content-type", "").lower().split(";")[1:]
    charsets = [
        value.strip(' "') for name, _, value in (p.partition("=") for p in parameters) if name.strip() == "charset"
    ]
    for charset in charsets:
        if charset not in _UTF_8:
            raise UnsupportedMediaType(given=charset[:100], expected="it in UTF-8")


def _is_gzipped(request: Request) -> bool:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise UnsupportedMediaType(given=encoding[:100], expected="it as it is or with Content-Encoding: gzip")
    return encoding != "identity"


def _refuse_too_long(request: Request) -> None:
    limit = settings().max_import_bytes
    announced = request.headers.get("content-length", "")[:_LENGTH_DIGITS]
    if announced.isdecimal() and int(announced) > limit:
        raise PayloadTooLarge(size=f"{int(announced):,}", unit="bytes", limit=f"{limit:,}")
