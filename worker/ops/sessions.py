"""Coming, going, and seeing personal data for a while."""

from fastapi import APIRouter, Request, Response

from domain.errors import AuthenticationFailed
from worker.ops.deeds import audited
from worker.ops.door import LoggedIn, Unmasking, give_cookie, is_foreign, read_form
from worker.ops.pages import PageRoute, go, login_form
from worker.store import auditing
from worker.store.auditing import Deed
from worker.store.connection import transaction
from worker.store.sessions import close_session, find_operator, open_session, unmask
from worker.web.threads import in_thread

router = APIRouter(route_class=PageRoute)
_MAY_ENTER = ("ops:read", "ops:act", "admin")


@router.post("/login")
async def login(request: Request) -> Response:
    """Open a session with an API key."""
    form = await read_form(request)
    back = form.get("back", ["/ops"])[0]
    if is_foreign(request):
        return login_form(request, 403, "The form did not come from this page.")
    answer = go(back)
    try:
        give_cookie(request, answer, await in_thread(_enter, form.get("key", [""])[0].strip()))
    except AuthenticationFailed:
        return login_form(request, 401, "This key is unknown, expired or revoked, or has none of the scopes for it.")
    return answer


@router.post("/logout")
def logout(request: Request, visit: LoggedIn) -> Response:
    """End the session."""
    close_session(visit.cookie)
    answer = go("/ops")
    give_cookie(request, answer, "")
    return answer


@router.post("/unmask")
def show_personal_data(visit: Unmasking) -> Response:
    """Show personal data for a while."""
    with audited(visit, "unmask") as (session, line):
        unmask(session, visit.cookie, on=True)
        line.before, line.after = "masked", "shown for 15 minutes"
    return go(visit.given("back"), "unmasked")


@router.post("/mask")
def mask_personal_data(visit: LoggedIn) -> Response:
    """Mask personal data again."""
    with transaction() as session:
        unmask(session, visit.cookie, on=False)
    return go(visit.given("back"), "masked")


def _enter(token: str) -> str:
    cookie, key = open_session(token)
    if not any(scope in key.scopes for scope in _MAY_ENTER):
        close_session(cookie)
        raise AuthenticationFailed
    operator = find_operator(cookie)
    with transaction() as session:
        auditing.write(session, operator.who, Deed(key.workspace, "login"))
    return cookie
