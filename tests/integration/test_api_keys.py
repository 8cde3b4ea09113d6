"""Keys are made, shown once, presented, and revoked."""

import pytest
from support.command_line import enroll
from support.database import sql

from domain.errors import AuthenticationFailed
from worker.store.api_keys import authenticate, create_key

pytestmark = pytest.mark.usefixtures("store")


def test_a_key_works_until_it_is_revoked_and_its_use_is_noted() -> None:
    made = enroll("key", "create", "--name", "CRM", "--scope", "leads:write", "--json").json

    key = authenticate(made["token"])
    assert key.scopes == ["leads:write"]
    assert enroll("key", "list", "--json").json[0]["lastUsedAt"] is not None

    assert enroll("key", "revoke", made["id"]).code == 0
    with pytest.raises(AuthenticationFailed):
        authenticate(made["token"])


def test_only_a_hash_of_it_is_stored_and_it_is_shown_once() -> None:
    token = enroll("key", "create", "--json").json["token"]

    stored = repr(sql("SELECT api_key::text, digest FROM api_key"))
    assert token not in stored
    assert token[-48:-8] not in stored
    assert token not in enroll("key", "list").stdout


def test_an_expired_key_works_no_more() -> None:
    token = create_key("default", "short", ["read"]).token
    sql("UPDATE api_key SET expires_at = now()")

    with pytest.raises(AuthenticationFailed):
        authenticate(token)


def test_a_key_of_another_row_or_with_another_secret_is_refused() -> None:
    first, second = (create_key("default", name, ["read"]).token for name in ("one", "two"))
    sql("UPDATE api_key SET digest = (SELECT digest FROM api_key WHERE name = 'two') WHERE name = 'one'")

    with pytest.raises(AuthenticationFailed):
        authenticate(first)
    authenticate(second)


def test_a_key_belongs_to_one_workspace() -> None:
    enroll("workspace", "create", "--name", "other")
    other = enroll("key", "create", "--workspace", "other", "--json").json

    assert authenticate(other["token"]).workspace == sql("SELECT id FROM workspace WHERE name = 'other'")[0][0]
    assert [key["id"] for key in enroll("key", "list", "--workspace", "other", "--json").json] == [other["id"]]
    assert enroll("key", "list", "--workspace", "default", "--json").json == []


def test_a_key_that_there_is_not_cannot_be_revoked() -> None:
    said = enroll("key", "revoke", "key_00000000000000000000000001")

    assert (said.code, said.stderr) == (
        1,
        "enroll: There is no API key 'key_00000000000000000000000001': check the id.\n",
    )
