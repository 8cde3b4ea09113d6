"""People at the operations page: a session is as good as the key it was opened with, and ends with it."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from domain.api_key import ApiKey, Scope, owner, read_token
from domain.errors import AuthenticationFailed
from domain.identifiers import public_id
from worker.store.api_keys import authenticate
from worker.store.connection import transaction

SESSION_HOURS = 12
UNMASKED_MINUTES = 15
_TOKEN_BYTES = 32

_OPEN = text("""
INSERT INTO ops_session (digest, key_id, expires_at)
VALUES (:digest, :key, now() + :hours * interval '1 hour')
""")
_FIND = text("""
SELECT key.id, key.created_at, key.name, key.scopes, key.workspace_id, workspace.name AS workspace,
    ops_session.unmasked_until > now() AS unmasked, ops_session.unmasked_until
FROM ops_session
JOIN api_key AS key ON key.id = ops_session.key_id
JOIN workspace ON workspace.id = key.workspace_id
WHERE ops_session.digest = :digest AND ops_session.expires_at > now()
    AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > now())
""")
_CLOSE = text("DELETE FROM ops_session WHERE digest = :digest")
_UNMASK = text("""
UPDATE ops_session SET unmasked_until = CASE WHEN :on THEN now() + :minutes * interval '1 minute' END
WHERE digest = :digest
""")
_FORGET = text("DELETE FROM ops_session WHERE expires_at < now()")


@dataclass(frozen=True, slots=True)
class Operator:
    """Who is at the page, and what they may do."""

    key_id: str
    key_name: str
    scopes: frozenset[Scope]
    own_workspace: int
    workspace_name: str
    unmasked: bool
    unmasked_until: datetime | None

    def may(self, scope: Scope) -> bool:
        """Tell whether the key has the scope; whoever acts may look, too, and `admin` may everything."""
        return scope in self.scopes or "admin" in self.scopes or (scope == "ops:read" and "ops:act" in self.scopes)

    @property
    def workspace(self) -> int | None:
        """The tenant whose rows they see; None: everybody's."""
        return None if "admin" in self.scopes else self.own_workspace

    @property
    def who(self) -> str:
        """What the audit calls them."""
        return owner(self.key_name, self.key_id)


def open_session(token: str) -> tuple[str, ApiKey]:
    """Open a session with an API key; gives the cookie's value, which is stored nowhere. `AuthenticationFailed`."""
    key = authenticate(token)
    cookie = secrets.token_urlsafe(_TOKEN_BYTES)
    number = read_token(token).row.number
    with transaction() as session:
        session.connection().execute(_FORGET)
        session.connection().execute(_OPEN, {"digest": _digest(cookie), "key": number, "hours": SESSION_HOURS})
    return cookie, key


def find_operator(cookie: str) -> Operator:
    """Give whose session a cookie is; `AuthenticationFailed` once it, or its key, is over."""
    with transaction() as session:
        row = session.connection().execute(_FIND, {"digest": _digest(cookie)}).one_or_none()
    if row is None:
        raise AuthenticationFailed
    return Operator(
        key_id=public_id("key", row.id, row.created_at),
        key_name=row.name,
        scopes=frozenset(row.scopes),
        own_workspace=row.workspace_id,
        workspace_name=row.workspace,
        unmasked=bool(row.unmasked),
        unmasked_until=row.unmasked_until,
    )


def close_session(cookie: str) -> None:
    """End a session."""
    with transaction() as session:
        session.connection().execute(_CLOSE, {"digest": _digest(cookie)})


def unmask(session: Session, cookie: str, *, on: bool) -> None:
    """Show personal data in this session for a while, or no longer."""
    session.connection().execute(_UNMASK, {"digest": _digest(cookie), "on": on, "minutes": UNMASKED_MINUTES})


def csrf_token(cookie: str) -> str:
    """Give what a form of this session must carry; only whoever has the cookie can make it."""
    return hashlib.sha256(b"csrf\0" + cookie.encode()).hexdigest()


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
