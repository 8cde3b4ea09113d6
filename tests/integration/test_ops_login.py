"""Who gets to the operations page, and how."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from support.app import shared_app
from support.database import sql
from support.ops import HERE, OPERATOR, VIEWER, Person

from domain.api_key import Scope
from worker.store.api_keys import create_key, revoke_key


@pytest.mark.usefixtures("store")
def test_without_a_session_there_is_a_login_form() -> None:
    stranger = TestClient(shared_app(), base_url=HERE, follow_redirects=False)
    assert stranger.get("/ops").status_code == 200
    assert 'name="key"' in stranger.get("/ops").text
    assert stranger.get("/ops/jobs").status_code == 401
    assert stranger.post("/ops/stages/apply/pause").status_code == 401


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("scopes", [("read", "leads:write"), ("ops:unmask",)])
def test_a_key_without_an_operations_scope_does_not_get_in(scopes: tuple[Scope, ...]) -> None:
    stranger = TestClient(shared_app(), base_url=HERE, follow_redirects=False)
    key = create_key("default", "api", scopes)
    assert stranger.post("/ops/login", data={"key": key.token}).status_code == 401
    assert stranger.post("/ops/login", data={"key": "sk_live_nonsense"}).status_code == 401


@pytest.mark.usefixtures("store")
def test_the_cookie_is_locked_to_the_host_over_https() -> None:
    browser = TestClient(shared_app(), base_url="https://ops.example", follow_redirects=False)
    answer = browser.post("/ops/login", data={"key": create_key("default", "ana", VIEWER).token})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-enroll_ops=")
    for part in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert part in cookie
    assert browser.get("/ops/jobs").status_code == 200


@pytest.mark.usefixtures("store")
def test_over_plain_http_nobody_gets_in_from_elsewhere() -> None:
    browser = TestClient(shared_app(), base_url="http://ops.example", follow_redirects=False)
    answer = browser.post("/ops/login", data={"key": create_key("default", "ana", VIEWER).token})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_session_ends_with_its_key(let_in: Callable[..., Person]) -> None:
    ana = let_in(VIEWER)
    ana.see("/ops/jobs")
    revoke_key(ana.key.row.public_id)
    assert ana.get("/ops/jobs").status_code == 401


def test_a_session_ends_when_it_is_logged_out(let_in: Callable[..., Person]) -> None:
    ana = let_in(VIEWER)
    cookie = dict(ana.client.cookies)
    ana.done("/ops/logout")
    ana.client.cookies.update(cookie)
    assert ana.get("/ops/jobs").status_code == 401


def test_the_cookie_is_not_in_the_store(let_in: Callable[..., Person]) -> None:
    ana = let_in(VIEWER)
    cookie = ana.client.cookies["enroll_ops"]
    assert cookie.encode() not in [bytes(digest) for (digest,) in sql("SELECT digest FROM ops_session")]


def test_pages_run_only_scripts_and_styles_of_ours(let_in: Callable[..., Person]) -> None:
    ana = let_in(OPERATOR)
    policy = ana.get("/ops").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for _, text in ana.walk():
        assert "<script>" not in text
        assert " style=" not in text
        assert " onclick=" not in text
