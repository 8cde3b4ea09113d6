"""An API key is good, or it is refused, and the refusal does not say why."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.api_key import (
    DEFAULT_SCOPES,
    SCOPES,
    SECRET_BYTES,
    ApiKey,
    check,
    demand,
    digest_of,
    make_token,
    read_token,
)
from domain.errors import AuthenticationFailed, PermissionDenied
from domain.identifiers import public_id, row_key

NOW = datetime(2026, 11, 25, tzinfo=UTC)
KEY_ID = public_id("key", 7, NOW)
TOKEN = make_token(KEY_ID, bytes(range(SECRET_BYTES)))
KEY = ApiKey(workspace=1, digest=digest_of(TOKEN), scopes=DEFAULT_SCOPES)


def test_a_key_names_its_row_and_carries_at_least_128_random_bits() -> None:
    assert SECRET_BYTES * 8 >= 128
    assert TOKEN.startswith(f"sk_live_{KEY_ID.removeprefix('key_')}")
    assert read_token(TOKEN).row == row_key("key", KEY_ID)
    assert TOKEN.encode() not in KEY.digest


@given(position=st.integers(0, len(TOKEN) - 1), character=st.characters(codec="ascii"))
def test_a_key_with_any_other_character_is_refused_without_asking_the_store(position: int, character: str) -> None:
    other = TOKEN[:position] + character + TOKEN[position + 1 :]
    if other != TOKEN:
        with pytest.raises(AuthenticationFailed):
            read_token(other)


@pytest.mark.parametrize("text", ["", "sk_live_", "sk_live_YOUR_KEY", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "é" * 90])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(AuthenticationFailed):
        read_token(text)


def test_a_good_key_is_given_back() -> None:
    assert check(KEY, read_token(TOKEN), NOW) is KEY


@pytest.mark.parametrize(
    "key",
    [
        None,
        ApiKey(1, digest_of("another"), DEFAULT_SCOPES),
        ApiKey(1, digest_of(TOKEN), DEFAULT_SCOPES, expires_at=NOW),
        ApiKey(1, digest_of(TOKEN), DEFAULT_SCOPES, revoked_at=NOW - timedelta(days=1)),
    ],
    ids=["unknown", "wrong secret", "expired", "revoked"],
)
def test_a_key_that_is_not_good_is_refused_with_one_message(key: ApiKey | None) -> None:
    with pytest.raises(AuthenticationFailed) as refused:
        check(key, read_token(TOKEN), NOW)
    assert str(refused.value) == str(AuthenticationFailed())


def test_a_key_may_do_what_its_scopes_say() -> None:
    reader = ApiKey(1, b"", ["read"])
    demand(reader, "read")
    with pytest.raises(PermissionDenied, match="leads:write"):
        demand(reader, "leads:write")


def test_admin_may_do_everything_and_is_given_to_nobody_by_default() -> None:
    for scope in SCOPES:
        demand(ApiKey(1, b"", ["admin"]), scope)
    assert "admin" not in DEFAULT_SCOPES
