"""The operations page in a real browser."""

from collections.abc import Iterator

import pytest
from conftest import Store
from playwright.sync_api import Browser, Page, expect
from support.browser import AXE, chromium, collect_complaints, faults_of_access
from support.database import sql
from support.ops import ADMIN
from support.ops_scene import Scene, make_scene
from support.polling import until
from support.uploads import listening

from worker.store import ledger
from worker.store.api_keys import create_key

# What another width and other colours can change; everything else is the same markup.
RULES_OF_LOOKS = ("color-contrast", "scrollable-region-focusable", "target-size", "link-in-text-block")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)
    with chromium() as started:
        yield started


@pytest.fixture
def scene(store: Store) -> Scene:  # noqa: ARG001  # the store it is made in
    return make_scene()


@pytest.fixture
def page(browser: Browser, scene: Scene) -> Iterator[Page]:  # noqa: ARG001  # there is something to see
    token = create_key("default", "ana", ADMIN).token
    with listening() as port, browser.new_context(base_url=f"http://127.0.0.1:{port}") as context:
        context.set_default_timeout(20_000)
        context.add_init_script(AXE)
        opened = context.new_page()
        opened.goto("/ops")
        opened.fill("#key", token)
        opened.click("text=Log in")
        expect(opened.locator(".verdict")).to_be_visible()
        yield opened
        opened.close()


def screens(scene: Scene) -> list[str]:
    lead = "priyanka.sharma0@voltmetrics.example"
    listed = ["", "/jobs", "/failures", "/campaigns", "/workers", "/sources", "/sends?status=unknown", "/operations"]
    of_one = [
        "/audit",
        f"/jobs/{scene.applied}",
        f"/jobs/{scene.dead[0]}",
        f"/campaigns/{scene.paused}",
        f"/campaigns/{scene.running}/leads/{lead}",
        f"/sources/{scene.source}",
        "/leads?place=due",
        "/jobs/unknown",
    ]
    return [f"/ops{path}" for path in (*listed, *of_one)]


def test_every_screen_is_usable_by_everybody_in_light_and_dark(page: Page, scene: Scene) -> None:
    complaints = collect_complaints(page)
    faults: list[object] = []
    for path in screens(scene):
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(path)
        faults += faults_of_access(page)
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 375, "height": 800})
        faults += faults_of_access(page, *RULES_OF_LOOKS)
        if page.evaluate("document.documentElement.scrollWidth") > 375:
            faults.append((path, "is wider than a small screen"))
    assert faults == []
    assert [text for text in complaints if "404" not in text] == []


def test_the_first_screen_lives_until_it_is_paused_or_hidden(page: Page, scene: Scene) -> None:
    opened: list[str] = []
    closed: list[str] = []
    page.on("request", lambda request: opened.append(request.url) if request.url.endswith("/ops/live") else None)
    page.on("requestfailed", lambda request: closed.append(request.url) if request.url.endswith("/live") else None)
    page.reload()
    waiting = page.locator("[data-number=apply-due]")
    before = int(waiting.inner_text())
    ledger.accept(scene.draft, [{"email": "new@x.test"}])
    expect(waiting).to_have_text(str(before + 1))

    begun, ended = len(opened), len(closed)
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    look_until(page, lambda: len(closed) > ended)
    page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    look_until(page, lambda: len(opened) > begun)

    ended = len(closed)
    page.keyboard.press("p")
    look_until(page, lambda: len(closed) > ended)
    ledger.accept(scene.draft, [{"email": "newer@x.test"}])
    expect(page.locator("[data-age]")).to_contain_text("paused")
    expect(waiting).to_have_text(str(before + 1))
    page.click("text=Resume updates")
    expect(waiting).to_have_text(str(before + 2))


def test_what_is_stale_says_so(page: Page) -> None:
    page.clock.install()
    page.reload()
    page.click("text=Pause updates")
    expect(page.locator(".pulse[data-stale]")).to_have_count(0)
    page.clock.fast_forward(30_000)
    expect(page.locator(".pulse[data-stale]")).to_contain_text("▲ updated 3")


def test_the_keyboard_goes_everywhere_and_the_theme_stays_as_chosen(page: Page) -> None:
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("crm-1")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    for letter, heading in (("f", "Failures"), ("c", "Campaigns"), ("w", "Queues and workers"), ("a", "Audit")):
        page.keyboard.press("g")
        page.keyboard.press(letter)
        expect(page.locator("h1")).to_have_text(heading)
    page.click(".who summary")
    page.click("text=Theme: system")
    page.click("text=Theme: light")
    page.goto("/ops/jobs")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_person_retries_what_a_kind_of_failure_killed(page: Page) -> None:
    page.goto("/ops/failures")
    page.click("tr:has-text('CheckViolation') button")
    expect(page.locator("h1")).to_contain_text("Accept dead jobs anew")
    page.fill("#main input[name=why]", "constraint is mended")
    page.click("#main button.danger")
    expect(page.locator(".banner")).to_contain_text("runs on a worker")
    assert sql("SELECT status, eligible FROM operation") == [("running", 3)]


def look_until(page: Page, condition: object) -> None:
    """Wait for what the browser's events tell; they are delivered while the page is asked something."""
    until(lambda: page.evaluate("1") and condition())  # type: ignore[operator]
