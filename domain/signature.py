"""Signatures of webhooks: HMAC-SHA256 over the bytes as they came.

Never over what was parsed: the same JSON written again is other bytes. And a secret is stored as it is, not hashed
like an API key, because whoever checks an HMAC needs the very secret that made it.
"""

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Scheme = Literal["standard", "hmac"]
"""`standard`: Standard Webhooks. `hmac`: any sender that puts the HMAC-SHA256 of the body into a header."""
Encoding = Literal["hex", "base64"]

TOLERANCE_SECONDS = 300
SECRET_BYTES = 32

_STANDARD_PREFIX = "whsec_"
_STANDARD_KEY_BYTES = range(24, 65)
_is_timestamp = re.compile("[0-9]{1,12}").fullmatch
_is_text_secret = re.compile("[ -~]{16,256}").fullmatch


@dataclass(frozen=True, slots=True)
class Seal:
    """How a sender signs; any of the secrets will do. `header`, `encoding` and `prefix` are those of `hmac`."""

    scheme: Scheme
    secrets: tuple[str, ...]
    header: str = "webhook-signature"
    encoding: Encoding = "base64"
    prefix: str = "v1,"


def new_secret(scheme: Scheme, chance: bytes) -> str:
    """Write `SECRET_BYTES` random bytes as a secret of the scheme."""
    return _STANDARD_PREFIX + b64encode(chance).decode() if scheme == "standard" else chance.hex()


def fault_of_secret(scheme: Scheme, secret: str) -> str | None:
    """Say why a secret that a caller brings cannot be one of the scheme; None when it can."""
    try:
        _key(scheme, secret)
    except ValueError as fault:
        return str(fault)
    return None


def fault_of_signature(seal: Seal, headers: Mapping[str, str], body: bytes, now: datetime) -> str | None:
    """Say why this is not what a holder of one of the secrets has signed; None when it is.

    For the eyes of the source's owner only: the sender of a bad signature learns nothing, not even from the time,
    as every secret is compared with every signature. `headers` are asked for lower-case names.
    """
    standard = seal.scheme == "standard"
    before = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}." if standard else ""
    given = _folded(seal, headers.get(seal.header.lower(), ""))
    expected = [_signature(seal, secret, before.encode("latin-1", "replace"), body) for secret in seal.secrets]
    # Several signatures are several secrets of the sender, who is changing them.
    signatures = given.split(b" ") if standard else [given]
    same = [hmac.compare_digest(one, other) for one in expected for other in signatures]
    return _fault_of_headers(seal, headers, now) or (None if any(same) else "no signature is one of this secret")


def _signature(seal: Seal, secret: str, before: bytes, body: bytes) -> bytes:
    mac = hmac.new(_key(seal.scheme, secret), before, "sha256")
    mac.update(body)
    return _folded(
        seal, seal.prefix + (mac.hexdigest() if seal.encoding == "hex" else b64encode(mac.digest()).decode())
    )


def _folded(seal: Seal, text: str) -> bytes:
    # Servers decode headers as Latin-1, so this gives the bytes that came. Hexadecimal digits come in either case.
    return (text.lower() if seal.encoding == "hex" else text).encode("latin-1", "replace")


def _fault_of_headers(seal: Seal, headers: Mapping[str, str], now: datetime) -> str | None:
    needed = ("webhook-id", "webhook-timestamp") if seal.scheme == "standard" else ()
    missing = [name for name in (*needed, seal.header) if not headers.get(name.lower())]
    if missing:
        return f"the header {missing[0]} is missing"
    if seal.scheme == "standard" and not _is_timely(headers["webhook-timestamp"], now):
        return "webhook-timestamp is not within 5 minutes of now"
    return None


def _is_timely(timestamp: str, now: datetime) -> bool:
    return bool(_is_timestamp(timestamp)) and abs(now.timestamp() - int(timestamp)) <= TOLERANCE_SECONDS


def _key(scheme: Scheme, secret: str) -> bytes:
    if scheme == "standard":
        return _standard_key(secret)
    if not _is_text_secret(secret):
        raise ValueError("a secret has 16 to 256 ASCII characters, none of them a control character")
    return secret.encode()


def _standard_key(secret: str) -> bytes:
    try:
        key = b64decode(secret.removeprefix(_STANDARD_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(_STANDARD_PREFIX) or len(key) not in _STANDARD_KEY_BYTES:
        raise ValueError("a Standard Webhooks secret is whsec_ and 24 to 64 bytes in base64")
    return key
