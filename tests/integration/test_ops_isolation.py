"""Whose rows the operations page shows: those of the key's workspace, and everybody's to an admin."""

from collections.abc import Callable

import pytest
from conftest import Store
from support.ops import ADMIN, OPERATOR, Person
from support.ops_scene import Scene, make_scene

from worker.store.workspaces import create_workspace


@pytest.fixture
def foreign(store: Store) -> Scene:  # noqa: ARG001  # the store it is made in
    create_workspace("other")
    make_scene()
    return make_scene("other", "Secret ")


def test_no_screen_shows_anything_of_another_workspace(let_in: Callable[..., Person], foreign: Scene) -> None:
    ids = {foreign.running, foreign.paused, foreign.draft, foreign.applied, foreign.source, *foreign.dead}
    for path, text in let_in(OPERATOR).walk():
        assert "Secret" not in text, path
        assert not any(each in text for each in ids), path


def test_what_belongs_to_another_workspace_does_not_exist(let_in: Callable[..., Person], foreign: Scene) -> None:
    ours = let_in(OPERATOR)
    for path in (
        f"/ops/jobs/{foreign.applied}",
        f"/ops/campaigns/{foreign.running}",
        f"/ops/campaigns/{foreign.running}/leads/priyanka.sharma0@voltmetrics.example",
        f"/ops/sources/{foreign.source}",
        f"/ops/search?q={foreign.unknown[0]}",
    ):
        assert ours.get(path).status_code == 404, path
    for path in (
        f"/ops/jobs/{foreign.dead[0]}/retry",
        f"/ops/campaigns/{foreign.running}/pause",
        f"/ops/campaigns/{foreign.paused}/start",
        f"/ops/sends/{foreign.unknown[0]}/resolve",
    ):
        assert ours.do(path, why="because", **{"as": "sent"}).status_code == 404, path


def test_a_bulk_operation_reaches_its_own_workspace_only(let_in: Callable[..., Person], foreign: Scene) -> None:
    ours = let_in(OPERATOR)
    preview = ours.done("/ops/operations", kind="retryJobs", which="all", filter="status=dead")
    assert "eligible 6" in ours.read(preview)
    chosen = ours.done("/ops/operations", kind="retryJobs", which="selected", item=foreign.dead, filter="")
    assert "eligible 0" in ours.read(chosen)
    assert let_in(OPERATOR, "other").get(preview).status_code == 404


def test_an_admin_sees_everybody(let_in: Callable[..., Person], foreign: Scene) -> None:
    admin = let_in(ADMIN)
    assert "Secret Running one" in admin.read("/ops/campaigns")
    assert "Secret Running one" in admin.read(f"/ops/jobs/{foreign.applied}")
