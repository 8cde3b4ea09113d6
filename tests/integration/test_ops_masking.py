"""Personal data on the operations page: masked on every screen, and seen only by a scope, which is written down."""

from collections.abc import Callable

from support.database import sql
from support.ops import ADMIN, OPERATOR, VIEWER, Person
from support.ops_scene import SECRETS, Scene, make_scene


def test_no_screen_shows_what_a_lead_holds(let_in: Callable[..., Person]) -> None:
    make_scene()
    pages = dict(let_in(ADMIN).walk())
    assert len(pages) > 25
    shown = [(path, secret) for path, text in pages.items() for secret in (*SECRETS, "171 2345678") if secret in text]
    assert shown == []


def test_an_export_is_as_masked_as_the_page(let_in: Callable[..., Person]) -> None:
    scene, viewer = make_scene(), let_in(VIEWER)
    exported = viewer.get(f"/ops/jobs/{scene.applied}/rows.csv").text
    assert exported.splitlines()[1].endswith(",created,")
    assert "p•••@v•••.example" in exported
    assert not any(secret in exported for secret in SECRETS)


def test_whoever_has_the_scope_sees_it_for_a_while_and_the_audit_says_so(let_in: Callable[..., Person]) -> None:
    scene, curious = make_scene(), let_in((*OPERATOR, "ops:unmask"))
    assert "priyanka.sharma0@voltmetrics.example" not in lead_page(curious, scene)
    curious.done("/ops/unmask", why="support ticket 17")
    assert "priyanka.sharma0@voltmetrics.example" in lead_page(curious, scene)
    assert sql("SELECT action, why, result FROM audit WHERE action = 'unmask'") == [
        ("unmask", "support ticket 17", "done")
    ]
    curious.done("/ops/mask")
    assert "priyanka.sharma0@voltmetrics.example" not in lead_page(curious, scene)


def lead_page(person: Person, scene: Scene) -> str:
    return person.read(f"/ops/campaigns/{scene.running}/leads/priyanka.sharma0@voltmetrics.example")
