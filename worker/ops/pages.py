"""Pages: rendered with who looks at them, under a strict policy; and what is shown where a page cannot be."""

from collections.abc import Callable, Coroutine
from dataclasses import asdict, is_dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError

from domain.errors import AuthenticationFailed, Refusal
from worker.ops.door import Visit
from worker.ops.looks import templates
from worker.reports.ops.snapshot import LIMIT_SECONDS, TookTooLong
from worker.store.sessions import csrf_token
from worker.store.trouble import is_store_trouble
from worker.web.errors import STATUS

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_THEMES = ("light", "dark")
_STATUS = {**STATUS, "forged_form": 403, "plain_http": 403}

TABS = [
    ("now", "/ops", "Now"),
    ("jobs", "/ops/jobs", "Jobs"),
    ("failures", "/ops/failures", "Failures"),
    ("campaigns", "/ops/campaigns", "Campaigns"),
    ("workers", "/ops/workers", "Queues & workers"),
    ("sources", "/ops/sources", "Sources"),
    ("unknown", "/ops/sends?status=unknown", "Unknown sends"),
    ("operations", "/ops/operations", "Bulk operations"),
    ("audit", "/ops/audit", "Audit"),
]
NOTES = {
    "started": "The campaign runs.",
    "paused": "The campaign is paused: what is in hand is finished, nothing more leaves.",
    "stage-paused": "The stage is paused: it takes nothing more up.",
    "stage-resumed": "The stage goes on.",
    "retried": "The job was accepted anew: this is the new job.",
    "resolved": "The send is resolved.",
    "running": "The operation runs on a worker.",
    "cancelling": "The operation ends after the items in hand.",
    "unmasked": "Personal data is shown for 15 minutes; the audit says so.",
    "masked": "Personal data is masked again.",
}


def page(request: Request, visit: Visit, template: str, tab: str, **more: Any) -> HTMLResponse:
    """Render a page for whoever looks at it."""
    return HTMLResponse(render(request, visit, template, tab, **more), headers=_HEADERS)


def render(request: Request, visit: Visit, template: str, tab: str, **more: Any) -> str:
    """Render a template for whoever looks at it."""
    operator = visit.operator
    known = {
        "operator": operator,
        "unmasked": operator.unmasked and operator.may("ops:unmask"),
        "csrf": csrf_token(visit.cookie),
        "here": f"{request.url.path}{'?' + request.url.query if request.url.query else ''}",
        "note": NOTES.get(request.query_params.get("note", "")),
        "tab": tab,
    }
    return _rendered(request, template, **known, **more)


def go(where: str, note: str = "") -> RedirectResponse:
    """Lead back to a page of ours, and say there what was done."""
    parts = urlsplit(where)
    path = parts.path if parts.path.startswith("/ops") and not parts.netloc else "/ops"
    kept = "&".join(pair for pair in parts.query.split("&") if pair and not pair.startswith("note="))
    query = "&".join(part for part in (kept, urlencode({"note": note}) if note else "") if part)
    return RedirectResponse(f"{path}?{query}" if query else path, 303, headers=_HEADERS)


def login_form(request: Request, status: int, fault: str = "") -> HTMLResponse:
    """Ask for an API key."""
    here = request.url.path if request.method == "GET" else "/ops"
    return HTMLResponse(_rendered(request, "login.html", fault=fault, here=here), status, headers=_HEADERS)


def query_of(wanted: Any) -> str:
    """Write a filter as the query of an address."""
    if not is_dataclass(wanted) or isinstance(wanted, type):
        return ""
    return urlencode({name: value for name, value in asdict(wanted).items() if value and name != "numbers"})


class PageRoute(APIRoute):
    """A route that tells its failures as pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the handler."""
        inherited = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inherited(request)
            except AuthenticationFailed:
                return login_form(request, 200 if request.url.path == "/ops" and request.method == "GET" else 401)
            except Exception as error:  # noqa: BLE001  # told, or raised again
                return _told(request, error)

        return handle


def _told(request: Request, error: Exception) -> HTMLResponse:
    if isinstance(error, Refusal):
        return _failure(request, _STATUS[error.code], str(error))
    if isinstance(error, TookTooLong):
        what = f"This took PostgreSQL longer than {LIMIT_SECONDS} s and was stopped: narrow the filter."
        return _failure(request, 503, what)
    if isinstance(error, RequestValidationError | ValidationError):
        return _failure(request, 400, "The address or the form holds what cannot be used here.")
    if is_store_trouble(error):
        return _failure(request, 503, "PostgreSQL cannot be reached: nothing can be shown until it is back.")
    raise error


def _failure(request: Request, status: int, what: str) -> HTMLResponse:
    return HTMLResponse(_rendered(request, "failure.html", what=what, status=status), status, headers=_HEADERS)


def _rendered(request: Request, template: str, **known: Any) -> str:
    theme = request.cookies.get("enroll_theme", "")
    look = {"theme": theme if theme in _THEMES else "system", "tabs": TABS, "unmasked": False}
    return templates.get_template(template).render(look | known)
