"""API keys: `sk_live_`, the key's id, a secret and a checksum. What is stored cannot be turned back into one.

The id says which row to look at, so that no secret is ever looked up by its value; the checksum tells a mistyped
key from a wrong one without asking the store, and lets scanners of public repositories know a real one.
"""

import hashlib
import hmac
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from domain.errors import AuthenticationFailed, PermissionDenied
from domain.identifiers import RowKey, row_key

Scope = Literal[
    "leads:write", "campaigns:write", "campaigns:start", "read", "ops:read", "ops:act", "ops:unmask", "admin"
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
DEFAULT_SCOPES: tuple[Scope, ...] = tuple(scope for scope in SCOPES if scope != "admin")

SECRET_BYTES = 20
"""160 random bits."""

_PREFIX = "sk_live_"
_ID_CHARACTERS = 26
_CHECKSUM_CHARACTERS = 8
_LENGTH = len(_PREFIX) + _ID_CHARACTERS + 2 * SECRET_BYTES + _CHECKSUM_CHARACTERS


class Credential(NamedTuple):
    """A key as somebody presents it: which row it names, and the hash that row must hold."""

    row: RowKey
    digest: bytes


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key: whose it is, what it may do, and until when. `who`: what the audit calls its owner."""

    workspace: int
    digest: bytes
    scopes: Collection[Scope]
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    who: str = ""


def owner(name: str, key_id: str) -> str:
    """Call the owner of a key by the name that it was given, and its id."""
    return f"{name} ({key_id})"


def make_token(key_id: str, secret: bytes) -> str:
    """Put a key together: shown once, to whoever asked for it."""
    body = f"{_PREFIX}{key_id.removeprefix('key_')}{secret.hex()}"
    return body + _checksum(body)


def digest_of(token: str) -> bytes:
    """Give what is stored of a key."""
    return hashlib.sha256(token.encode()).digest()


def read_token(token: str) -> Credential:
    """Take a key apart; `AuthenticationFailed` where it cannot be one."""
    body, checksum = token[:-_CHECKSUM_CHARACTERS], token[-_CHECKSUM_CHARACTERS:]
    well_formed = token.isascii() and len(token) == _LENGTH and token.startswith(_PREFIX)
    row = row_key("key", f"key_{body[len(_PREFIX) :][:_ID_CHARACTERS]}") if well_formed else None
    if row is None or not hmac.compare_digest(checksum, _checksum(body)):
        raise AuthenticationFailed
    return Credential(row, digest_of(token))


def check(key: ApiKey | None, credential: Credential, now: datetime) -> ApiKey:
    """Give the key if it is the one presented and still good; else `AuthenticationFailed`, whatever the reason."""
    # An unknown id costs the same comparison: how long the answer takes tells nothing.
    same = hmac.compare_digest(credential.digest, key.digest if key else bytes(len(credential.digest)))
    if key is None or not same or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        raise AuthenticationFailed
    return key


def demand(key: ApiKey, scope: Scope) -> None:
    """Raise `PermissionDenied` unless the key has the scope; `admin` has every one."""
    if scope not in key.scopes and "admin" not in key.scopes:
        raise PermissionDenied(scope=scope)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
