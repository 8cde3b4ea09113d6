"""A real browser: Debian's Chromium, driven by Playwright. Only in CI must there be one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
Theme = Literal["light", "dark"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser, or skip the test where there is none outside CI."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None and not os.environ.get("CI"):
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        # Without a sandbox, because root may have none, and without /dev/shm, which containers keep small.
        options = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=program, args=options)
        try:
            yield browser
        finally:
            browser.close()


def faults_of_access(page: Page, *only: str) -> list[tuple[str, str, Any]]:
    """What axe finds to be serious or critical for people who cannot see, hear or point well, by all rules or some."""
    options = {"resultTypes": ["violations"], **({"runOnly": list(only)} if only else {})}
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        (page.url, fault["id"], [node["html"][:200] for node in fault["nodes"]][:3])
        for fault in found["violations"]
        if fault["impact"] in {"serious", "critical"}
    ]


def collect_complaints(page: Page) -> list[str]:
    """Give a list that fills with what the browser complains about: scripts that fail, and breaches of the policy."""
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints
