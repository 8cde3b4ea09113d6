"""Whether the process lives, and whether it can accept."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from worker.store.schema import TablesTooOld, is_current
from worker.web.errors import failure

router = APIRouter(tags=["Health"])


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """Tell that the process lives."""
    return "ok\n"


@router.get("/readyz", response_class=PlainTextResponse, responses={503: {"description": "Not ready."}})
def readyz() -> Response:
    """Tell whether PostgreSQL is in reach and its tables are recent enough: accepting needs nothing else."""
    if is_current():
        return PlainTextResponse("ok\n")
    return failure(503, "unavailable", str(TablesTooOld()))
