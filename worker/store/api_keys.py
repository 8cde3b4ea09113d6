"""API keys: made, presented, revoked. The key itself is in nobody's hands but its owner's."""

import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import func, text
from sqlmodel import col, select

from domain.api_key import SECRET_BYTES, ApiKey, Scope, check, digest_of, make_token, owner, read_token
from domain.errors import KeyNotFound
from domain.identifiers import row_key
from worker.store.connection import transaction
from worker.store.door_tables import ApiKeyRow
from worker.store.finding import find
from worker.store.workspaces import find_workspace

# Often enough to tell an unused key from a used one, seldom enough to cost nothing.
_NOTE_USE_EVERY = timedelta(minutes=1)
_NOTE_USE = text("""
UPDATE api_key SET last_used_at = now()
WHERE id = :number AND (last_used_at IS NULL OR last_used_at < now() - CAST(:every AS interval))
""")


class NewKey(NamedTuple):
    """A key just made, and the one chance to see it."""

    row: ApiKeyRow
    token: str


def create_key(workspace: str, name: str, scopes: Collection[Scope], expires_in: timedelta | None = None) -> NewKey:
    """Make a key for the workspace of that name."""
    with transaction() as session:
        now = session.exec(select(func.now())).one()
        row = ApiKeyRow(
            workspace_number=find_workspace(session, workspace).number,
            name=name,
            digest=b"",
            scopes=list(scopes),
            expires_at=now + expires_in if expires_in else None,
        )
        session.add(row)
        session.flush()
        session.refresh(row)
        # The key holds its id, which only the row's number gives: hence the second statement.
        token = make_token(row.public_id, secrets.token_bytes(SECRET_BYTES))
        row.digest = digest_of(token)
    return NewKey(row, token)


def authenticate(token: str) -> ApiKey:
    """Give the key that a caller presents, and note that it was used; `AuthenticationFailed` unless it is good."""
    credential = read_token(token)
    with transaction() as session:
        row = find(session, ApiKeyRow, credential.row)
        key = check(_as_key(row), credential, session.exec(select(func.now())).one())
        session.connection().execute(_NOTE_USE, {"number": credential.row.number, "every": _NOTE_USE_EVERY})
    return key


def revoke_key(key_id: str) -> ApiKeyRow:
    """Revoke a key for good; again: nothing changes."""
    with transaction() as session:
        row = find(session, ApiKeyRow, row_key("key", key_id))
        if row is None:
            raise KeyNotFound(key_id=key_id)
        row.revoked_at = row.revoked_at or session.exec(select(func.now())).one()
    return row


def has_keys(workspace: str) -> bool:
    """Tell whether the workspace has had a key."""
    with transaction() as session:
        query = select(ApiKeyRow).where(col(ApiKeyRow.workspace_number) == find_workspace(session, workspace).number)
        return session.exec(query.limit(1)).one_or_none() is not None


def _as_key(row: ApiKeyRow | None) -> ApiKey | None:
    if row is None:
        return None
    who = owner(row.name, row.public_id)
    return ApiKey(row.workspace_number, row.digest, row.scopes, row.expires_at, row.revoked_at, who)
