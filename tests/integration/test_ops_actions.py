"""What people do by the operations page: who may, that it came from the page, and that it is written down.

The actions are generated from the page's routes, so that a new one cannot be forgotten.
"""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.routing import APIRoute
from support.command_line import enroll
from support.database import sql
from support.ops import ADMIN, OPERATOR, VIEWER, Person
from support.ops_scene import Scene, make_scene

from worker.ops.router import ROUTERS

# Everybody comes, goes and hides what they see.
ANYBODYS = {"/ops/login", "/ops/logout", "/ops/mask"}
ACTIONS = sorted(
    f"/ops{route.path}"
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and "POST" in route.methods and f"/ops{route.path}" not in ANYBODYS
)
OF_ADMINS = {"/ops/stages/{stage}/pause", "/ops/stages/{stage}/resume"}


def filled(action: str, scene: Scene) -> str:
    return action.format(
        campaign_id=scene.running,
        stage="deliver",
        job_id=scene.dead[0],
        send_id=scene.unknown[0],
        operation_id="op_01hx4mrqpbcn7wh2gfk9yz6e3s",
    )


def state_of_everything() -> list[Any]:
    tables = ("campaign", "job", "send", "stage_pause", "operation", "operation_item")
    return [sql(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]


def audit(**where: str) -> list[Any]:
    (name, value), *_ = where.items()
    return sql(f"SELECT who, action, target, why, before, after, result FROM audit WHERE {name} = :value", value=value)


def test_there_are_actions_to_try() -> None:
    assert len(ACTIONS) >= 10


def test_a_viewer_may_do_nothing(let_in: Callable[..., Person]) -> None:
    scene, viewer = make_scene(), let_in(VIEWER)
    before = state_of_everything()
    refused = {action: viewer.do(filled(action, scene), why="because").status_code for action in ACTIONS}
    assert refused == dict.fromkeys(ACTIONS, 403)
    assert state_of_everything() == before


def test_what_cannot_be_done_is_shown_disabled_with_the_reason(let_in: Callable[..., Person]) -> None:
    scene, viewer, operator = make_scene(), let_in(VIEWER), let_in(OPERATOR)
    running, paused = f"/ops/campaigns/{scene.running}", f"/ops/campaigns/{scene.paused}"
    reasons = {
        (viewer, running): ("Start it runs already", "Pause needs the scope ops:act"),
        (operator, paused): ("Pause it does not run",),
        (viewer, f"/ops/jobs/{scene.dead[0]}"): ("Retry needs the scope ops:act",),
        (operator, f"/ops/jobs/{scene.applied}"): ("Retry only a dead job can be retried",),
        (operator, "/ops/workers"): ("Pause needs the scope admin",),
        (viewer, "/ops/sends?status=unknown"): ("It was not: send again needs the scope ops:act",),
        (viewer, "/ops"): ("Preview retry needs the scope ops:act",),
    }
    for (person, path), said in reasons.items():
        shown = person.read(path)
        assert [each for each in said if each not in shown] == [], path


def test_an_operator_may_not_touch_what_is_everybodys(let_in: Callable[..., Person]) -> None:
    scene, operator = make_scene(), let_in(OPERATOR)
    refused = {action: operator.do(filled(action, scene), why="because").status_code for action in OF_ADMINS}
    assert refused == dict.fromkeys(OF_ADMINS, 403)
    assert operator.do("/ops/unmask", why="curious").status_code == 403


@pytest.mark.parametrize(
    "forged",
    [
        {"data": {"why": "because"}},
        {"data": {"why": "because", "csrf": "0" * 64}},
        {"data": {"why": "because", "csrf": "good"}, "headers": {"Origin": "https://evil.example"}},
        {"data": {"why": "because", "csrf": "good"}, "headers": {"Sec-Fetch-Site": "cross-site"}},
    ],
    ids=["without a token", "with a wrong token", "of another origin", "across sites"],
)
def test_a_form_that_is_not_from_the_page_does_nothing(let_in: Callable[..., Person], forged: dict[str, Any]) -> None:
    scene, admin = make_scene(), let_in(ADMIN)
    data = {**forged["data"], **({"csrf": admin.csrf} if forged["data"].get("csrf") == "good" else {})}
    before = state_of_everything()
    for action in ACTIONS:
        answer = admin.client.post(filled(action, scene), data=data, headers=forged.get("headers"))
        assert answer.status_code == 403, action
    assert state_of_everything() == before


def test_a_pause_of_a_campaign_says_who_and_why_and_a_start_ends_it(let_in: Callable[..., Person]) -> None:
    scene, operator = make_scene(), let_in(OPERATOR)
    operator.done(f"/ops/campaigns/{scene.running}/pause", why="provider is down")
    assert "provider is down" in operator.read(f"/ops/campaigns/{scene.running}")
    operator.done(f"/ops/campaigns/{scene.running}/start", why="provider is back")
    who = f"ana ({operator.key.row.public_id})"
    assert audit(target=scene.running) == [
        ("cli", "campaign.start", scene.running, None, "draft", "running", "done"),
        (who, "campaign.pause", scene.running, "provider is down", "running", "paused", "done"),
        (who, "campaign.start", scene.running, "provider is back", "paused", "running", "done"),
    ]
    assert "campaign.pause" in operator.read("/ops/audit")


def test_a_pause_by_the_api_or_the_command_line_says_who_once(let_in: Callable[..., Person]) -> None:
    scene, admin = make_scene(), let_in(ADMIN)
    key = {"Authorization": f"Bearer {admin.key.token}"}
    for _ in range(2):
        assert admin.client.post(f"/v1/campaigns/{scene.running}/pause", headers=key).status_code == 200
    who = f"ana ({admin.key.row.public_id})"
    assert f"by {who}" in admin.read("/ops").split("Campaigns in flight")[1].split("Lately")[0]
    assert f"by {who}. Nothing leaves" in admin.read(f"/ops/campaigns/{scene.running}")
    assert enroll("campaign", "start", scene.running).code == 0
    assert audit(target=scene.running)[1:] == [
        (who, "campaign.pause", scene.running, None, "running", "paused", "done"),
        ("cli", "campaign.start", scene.running, None, "paused", "running", "done"),
    ]


def test_what_cannot_be_written_to_the_audit_is_not_done(let_in: Callable[..., Person]) -> None:
    scene, admin = make_scene(), let_in(ADMIN)
    sql("ALTER TABLE audit ADD CONSTRAINT no_pauses CHECK (action <> 'campaign.pause') NOT VALID")
    key = {"Authorization": f"Bearer {admin.key.token}"}
    assert admin.client.post(f"/v1/campaigns/{scene.running}/pause", headers=key).status_code >= 500
    assert sql("SELECT count(*) FROM campaign WHERE status = 'running'") == [(1,)]


def test_nothing_is_done_without_a_reason_where_one_is_asked_for(let_in: Callable[..., Person]) -> None:
    scene, admin = make_scene(), let_in(ADMIN)
    for action in (f"/ops/campaigns/{scene.running}/pause", f"/ops/sends/{scene.unknown[0]}/resolve"):
        assert admin.do(action, **{"as": "sent"}).status_code == 400
    assert admin.do("/ops/stages/deliver/pause").status_code == 400
    assert sql("SELECT count(*) FROM stage_pause") == [(0,)]


def test_a_dead_job_is_retried_once_and_what_is_refused_is_written_down(let_in: Callable[..., Person]) -> None:
    scene, operator = make_scene(), let_in(OPERATOR)
    anew = operator.done(f"/ops/jobs/{scene.dead[0]}/retry", why="mended").partition("?")[0]
    assert operator.done(f"/ops/jobs/{scene.dead[0]}/retry", why="again").partition("?")[0] == anew
    assert f"A retry of {scene.dead[0]}" in operator.read(anew)
    assert operator.do(f"/ops/jobs/{scene.applied}/retry", why="why not").status_code == 409
    assert [line[-1] for line in audit(target=scene.applied)] == ["refused: job_not_dead"]


@pytest.mark.parametrize(("found", "status"), [("sent", "sent"), ("notSent", "queued")])
def test_an_unknown_send_is_resolved_as_a_person_found(let_in: Callable[..., Person], found: str, status: str) -> None:
    scene, operator = make_scene(), let_in(OPERATOR)
    operator.done(f"/ops/sends/{scene.unknown[0]}/resolve", why="log of the server", **{"as": found})
    assert [line[4:] for line in audit(target=scene.unknown[0])] == [("unknown", status, "done")]
    assert operator.do(f"/ops/sends/{scene.unknown[0]}/resolve", why="again", **{"as": "notSent"}).status_code == 409


def test_a_form_leads_back_to_where_it_came_from_and_nowhere_else(let_in: Callable[..., Person]) -> None:
    scene, operator = make_scene(), let_in(OPERATOR)
    pause = f"/ops/campaigns/{scene.running}/pause"
    assert operator.done(pause, why="x", back="/ops/campaigns?status=running").startswith(
        "/ops/campaigns?status=running"
    )
    for elsewhere in ("https://evil.example/ops", "//evil.example/ops", "/docs"):
        assert operator.done(pause, why="x", back=elsewhere).startswith("/ops?"), elsewhere
