"""Failures as HTTP tells them: `{"error": {"code", "message", "details"?}}`, and the status of each code."""

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from domain.errors import InvalidRequest, Refusal
from worker.store.trouble import is_store_trouble, reason_of
from worker.telemetry import where_and_what

STATUS = {
    "invalid_request": 400,
    "no_leads_enrolled": 400,
    "no_sequence_steps": 400,
    "authentication_failed": 401,
    "permission_denied": 403,
    "campaign_not_found": 404,
    "import_not_found": 404,
    "job_not_found": 404,
    "key_not_found": 404,
    "lead_not_found": 404,
    "operation_not_found": 404,
    "send_not_found": 404,
    "source_not_found": 404,
    "workspace_not_found": 404,
    "campaign_not_draft": 409,
    "job_not_applied": 409,
    "job_not_dead": 409,
    "name_taken": 409,
    "operation_not_open": 409,
    "send_not_unknown": 409,
    "results_expired": 410,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "idempotency_key_reused": 422,
    "rate_limited": 429,
    "backlog_full": 429,
    "too_many_imports": 429,
    "job_dead": 500,
}
_RETRY_AFTER_SECONDS = 5
_CODES = {404: "not_found", 405: "method_not_allowed"}

log = logging.getLogger(__name__)


class ErrorBody(BaseModel):
    """What went wrong, for programs (`code`) and for people (`message`)."""

    code: str
    message: str
    details: list[dict[str, Any]] | None = None


class Failure(BaseModel):
    """The body of every answer that is no success."""

    error: ErrorBody


def add_handlers(app: FastAPI) -> None:
    """Let the app tell every failure in the one form."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def failure(status: int, code: str, message: str, **more: Any) -> JSONResponse:
    """Make the answer; `headers` and `details` may be added."""
    details = more.pop("details", None)
    body = {"code": code, "message": message, **({"details": details} if details else {})}
    return JSONResponse({"error": body}, status, **more)


def answer_to(error: Exception) -> JSONResponse:
    """Make the answer to an exception, whatever it is."""
    if isinstance(error, Refusal):
        retry_after = {"Retry-After": str(_RETRY_AFTER_SECONDS)} if error.retry_helps else {}
        challenge = {"WWW-Authenticate": "Bearer"} if error.code == "authentication_failed" else {}
        return failure(STATUS[error.code], error.code, str(error), headers=retry_after | challenge)
    if is_store_trouble(error):
        log.warning("a request cannot be served: %s", reason_of(error))
        message = "The store cannot be reached: nothing was taken, send this again later."
        return failure(503, "unavailable", message, headers={"Retry-After": str(_RETRY_AFTER_SECONDS)})
    log.error("a request failed: %s", where_and_what(error))
    return failure(500, "internal_error", "Something went wrong on our side: see the log under this X-Request-Id.")


def _refused(_: Request, error: Exception) -> JSONResponse:
    return answer_to(error)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    # Without what was sent: it may be personal, and it may be anything.
    faults: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    details = [{"location": [*map(str, fault["loc"])], "message": fault["msg"]} for fault in faults]
    where = " → ".join(details[0]["location"]) if details else "the request"
    refusal = InvalidRequest(reason=f"{where}: {details[0]['message'] if details else 'is not valid'}")
    return failure(STATUS[refusal.code], refusal.code, str(refusal), details=details)


def _http(_: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    messages = {
        404: "There is nothing at this address: see /docs.",
        405: "This address does not take this method: see /docs.",
    }
    code, message = _CODES.get(status, "invalid_request"), messages.get(status, "The request cannot be used.")
    return failure(status, code, message, headers=headers)
