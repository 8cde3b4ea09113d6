"""A key sees its own workspace: whatever belongs to another one answers exactly as what does not exist.

The calls are generated from the app's routes, so that a new one cannot be forgotten.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from support.app import shared_app
from support.command_line import applying
from support.http import STEPS, Caller, NewCaller

from domain.api_key import SCOPES
from worker.store import workspaces

UNKNOWN = {
    "campaign_id": "camp_01hx4mrqpbcn7wh2gfk9yz6e3s",
    "job_id": "job_01hx4mrqpbcn7wh2gfk9yz6e3s",
    "lead": "lead_01hx4mrqpbcn7wh2gfk9yz6e3s",
    "source_id": "src_01hx4mrqpbcn7wh2gfk9yz6e3s",
    "import_id": "imp_01hx4mrqpbcn7wh2gfk9yz6e3s",
}
BODIES: dict[str, Any] = {
    "/leads/bulk": {"json": {"leads": [{"email": "a@x.test"}]}},
    "/leads/import": {"content": b"email\na@x.test\n", "headers": {"Content-Type": "text/csv"}},
    "/preview": {"json": {"email": "a@x.test"}},
    "/rotate": {"json": {}},
    "PATCH /v1/campaigns/{campaign_id}": {"json": {"name": "Mine now"}},
    "POST /v1/campaigns": {"json": {"name": "A", "sequenceSteps": STEPS}},
    "POST /v1/sources": {
        "json": {"name": "s", "campaignId": "camp_x", "scheme": "standard", "leadsPath": "@", "mapping": {}}
    },
}


class Route(NamedTuple):
    """One call of the API, as OpenAPI names it."""

    method: str
    path: str

    def filled(self, ids: dict[str, str]) -> str:
        return re.sub(r"\{(\w+)\}", lambda name: ids[name[1]], self.path)

    @property
    def options(self) -> dict[str, Any]:
        named = f"{self.method} {self.path}"
        return next((dict(options) for end, options in BODIES.items() if named.endswith(end)), {})


ROUTES = [
    Route(method.upper(), path)
    for path, methods in shared_app().openapi()["paths"].items()
    for method in methods
    if path.startswith("/v1")
]
WITH_IDS = [route for route in ROUTES if "{" in route.path]


class Scene:
    """Two workspaces: ours, and another with one of everything."""

    def __init__(self, make: NewCaller) -> None:
        workspaces.create_workspace("other")
        self.make = make
        self.ours: Caller = make(scopes=SCOPES)
        self.theirs: Caller = make("other", scopes=SCOPES)
        campaign = self.theirs.campaign(start=True)
        job = self.theirs("GET", "/v1/jobs").json()["data"][0]["id"]
        lead = self.theirs("GET", f"/v1/campaigns/{campaign}/leads").json()["data"][0]["id"]
        self.foreign = {
            "campaign_id": campaign,
            "job_id": job,
            "lead": lead,
            "source_id": self._source(campaign),
            "import_id": self._import(campaign),
        }

    def _source(self, campaign: str) -> str:
        given = {**BODIES["POST /v1/sources"]["json"], "campaignId": campaign}
        made: str = self.theirs("POST", "/v1/sources", json=given).json()["data"]["id"]
        return made

    def _import(self, campaign: str) -> str:
        path, options = f"/v1/campaigns/{campaign}/leads/import", BODIES["/leads/import"]
        made: str = self.theirs("POST", path, **options).json()["data"]["importId"]
        return made


@pytest.fixture
def scene(new_caller: NewCaller) -> Iterator[Scene]:
    with applying():
        yield Scene(new_caller)


def test_the_routes_are_seen() -> None:
    assert len(WITH_IDS) > 10
    assert Route("POST", "/v1/campaigns/{campaign_id}/leads/bulk") in WITH_IDS


def test_what_is_anothers_answers_as_what_does_not_exist(scene: Scene) -> None:
    for route in WITH_IDS:
        foreign = scene.ours(route.method, route.filled(scene.foreign), **route.options)
        unknown = scene.ours(route.method, route.filled(UNKNOWN), **route.options)
        assert unknown.status_code == 404, (route, unknown.text)
        assert foreign.status_code == 404, (route, foreign.text)
        assert _without_ids(foreign.text, scene.foreign) == _without_ids(unknown.text, UNKNOWN), route


def test_each_of_these_calls_works_for_its_owner(scene: Scene) -> None:
    """Otherwise the test above would compare mistakes."""
    for route in WITH_IDS:
        answer = scene.theirs(route.method, route.filled(scene.foreign), **route.options)
        assert answer.status_code != 404, (route, answer.text)


def test_lists_show_nothing_of_another_workspace(scene: Scene) -> None:
    for method, path in ROUTES:
        if method == "GET" and "{" not in path:
            assert scene.ours(method, path).json() == {"data": [], "nextCursor": None}, path
    assert scene.ours("GET", "/v1/jobs", params={"campaignId": scene.foreign["campaign_id"]}).status_code == 404


def test_nothing_can_be_made_in_anothers_campaign(scene: Scene) -> None:
    given = {**BODIES["POST /v1/sources"]["json"], "campaignId": scene.foreign["campaign_id"]}
    assert scene.ours("POST", "/v1/sources", json=given).status_code == 404


def test_every_call_needs_a_key(scene: Scene) -> None:
    for route in ROUTES:
        options = route.options
        options["headers"] = {**options.get("headers", {}), "Authorization": "Bearer sk_live_YOUR_KEY"}
        answer = scene.ours(route.method, route.filled(scene.foreign), **options)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "authentication_failed"), route
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_every_call_needs_its_scope(scene: Scene) -> None:
    powerless = scene.make("default", scopes=("ops:read",))
    for route in ROUTES:
        answer = powerless(route.method, route.filled(scene.foreign), **route.options)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied"), route


def _without_ids(text: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        text = text.replace(value, name)
    return text
