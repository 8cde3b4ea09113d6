"""Who is at the page: login with an API key, the cookie, and what each visit may do.

The cookie is `__Host-`, Secure, over https. Over plain http it goes to this machine only: a session that can be read on
the way is no session.
"""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request, Response

from domain.api_key import Scope
from domain.errors import AuthenticationFailed, PermissionDenied, Refusal
from worker.store.sessions import SESSION_HOURS, Operator, csrf_token, find_operator
from worker.web.threads import in_thread

_SECURE_COOKIE = "__Host-enroll_ops"
_LOOPBACK_COOKIE = "enroll_ops"


class ForgedForm(Refusal):
    """The form did not come from this page, or from a session that is over: load the page again."""

    code = "forged_form"


class PlainHttp(Refusal):
    """Over plain http the page opens on this machine only: use https, or http://127.0.0.1."""

    code = "plain_http"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is logged in."""

    operator: Operator
    cookie: str
    form: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def given(self, name: str) -> str:
        """Give what a field of the form holds."""
        return self.form.get(name, [""])[0].strip()

    @property
    def workspace(self) -> int | None:
        """The tenant whose rows they see; None: everybody's."""
        return self.operator.workspace


async def looking(request: Request) -> Visit:
    """Let in whoever may look."""
    return await _visit(request, "ops:read")


def acting(scope: Scope) -> Callable[[Request], Awaitable[Visit]]:
    """Give the dependency that lets a form through, if its sender has the scope and it is from this page."""

    async def allowed(request: Request) -> Visit:
        visit = await _visit(request, scope)
        form = await read_form(request)
        given = form.get("csrf", [""])[0]
        if not hmac.compare_digest(given.encode(), csrf_token(visit.cookie).encode()) or is_foreign(request):
            raise ForgedForm
        return Visit(visit.operator, visit.cookie, form)

    return allowed


Looking = Annotated[Visit, Depends(looking)]
LoggedIn = Annotated[Visit, Depends(acting("ops:read"))]
Acting = Annotated[Visit, Depends(acting("ops:act"))]
Unmasking = Annotated[Visit, Depends(acting("ops:unmask"))]
Administering = Annotated[Visit, Depends(acting("admin"))]


async def read_form(request: Request) -> dict[str, list[str]]:
    """Read the fields of a form."""
    return parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True, max_num_fields=20_000)


def is_foreign(request: Request) -> bool:
    """Tell whether the browser says that a form comes from another site."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    return site not in {"same-origin", "none"} or (
        origin is not None and origin != f"{request.url.scheme}://{request.url.netloc}"
    )


def give_cookie(request: Request, response: Response, value: str) -> None:
    """Give the cookie of a session, or, without a value, take it back."""
    secure = request.url.scheme == "https"
    if not secure and not _is_loopback(request.url.hostname or ""):
        raise PlainHttp
    response.set_cookie(
        _cookie_name(request),
        value,
        max_age=SESSION_HOURS * 3_600 if value else 0,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def _cookie_name(request: Request) -> str:
    return _SECURE_COOKIE if request.url.scheme == "https" else _LOOPBACK_COOKIE


async def _visit(request: Request, scope: Scope) -> Visit:
    cookie = request.cookies.get(_cookie_name(request))
    if not cookie:
        raise AuthenticationFailed
    operator = await in_thread(find_operator, cookie)
    request.state.operator = operator
    request.state.cookie = cookie
    if not operator.may(scope):
        raise PermissionDenied(scope=scope)
    return Visit(operator, cookie)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
