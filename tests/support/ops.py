"""The operations page, as a person with a key uses it, without a browser."""

import html
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx
from fastapi.testclient import TestClient

from domain.api_key import Scope
from support.app import shared_app
from worker.store.api_keys import create_key

VIEWER: tuple[Scope, ...] = ("ops:read",)
OPERATOR: tuple[Scope, ...] = ("ops:read", "ops:act")
ADMIN: tuple[Scope, ...] = ("admin",)

HERE = "http://127.0.0.1"
_CSRF = re.compile(r'name="csrf" value="(\w+)"')
_LINK = re.compile(r'href="(/ops[^"#]*)"')
_ID = re.compile(r"\b(job|lead|send|op)_[0-9a-z]{26}")


class Person:
    """Somebody who is logged in."""

    def __init__(self, app: Any, scopes: tuple[Scope, ...], workspace: str = "default") -> None:
        self.key = create_key(workspace, "ana", scopes)
        self.client = TestClient(app, base_url=HERE, follow_redirects=False, raise_server_exceptions=False)
        answer = self.client.post("/ops/login", data={"key": self.key.token})
        assert answer.status_code == 303, answer.text
        self.csrf = _CSRF.findall(self.see("/ops"))[0]

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def see(self, path: str) -> str:
        """Read a page that must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {text_of(answer.text)}"
        return answer.text

    def read(self, path: str) -> str:
        """Read the words of a page that must be there."""
        return text_of(self.see(path))

    def do(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form of the page."""
        return self.client.post(path, data={"csrf": self.csrf, **fields})

    def done(self, path: str, **fields: Any) -> str:
        """Send a form that must be taken; give where it leads."""
        answer = self.do(path, **fields)
        assert answer.status_code == 303, f"{path}: {answer.status_code} {text_of(answer.text)}"
        return str(answer.headers["location"])

    def walk(self) -> Iterator[tuple[str, str]]:
        """Follow every link from the first screen, one of each form; give addresses and pages."""
        seen: set[str] = set()
        left = ["/ops"]
        while left:
            path = left.pop(0)
            answer = self.get(path)
            assert answer.status_code in {200, 303}, f"{path}: {answer.status_code} {text_of(answer.text)}"
            yield path, answer.text
            links = [answer.headers["location"]] if answer.status_code == 303 else _LINK.findall(answer.text)
            for link in map(html.unescape, links):
                form = _ID.sub(r"\1", link)
                if form not in seen and not link.startswith("/ops/static"):
                    seen.add(form)
                    left.append(link)


@contextmanager
def page() -> Iterator[Callable[..., Person]]:
    """Serve the page inside this process; give what lets people in."""
    app = shared_app()
    with TestClient(app, base_url=HERE):
        yield lambda *arguments, **options: Person(app, *arguments, **options)


def text_of(markup: str) -> str:
    """The words of a page."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup))).strip()


def number(markup: str, name: str) -> str:
    """What the page shows under a name, and must link."""
    return re.findall(rf'<a href="[^"]+" data-number="{name}">([^<]*)</a>', markup)[0]


def link(markup: str, name: str) -> str:
    """Where the number of that name leads."""
    return html.unescape(re.findall(rf'<a href="([^"]+)" data-number="{name}">', markup)[0])


def total(markup: str) -> str:
    """How many rows a list says it has."""
    return re.findall(r'class="quiet total">\s*([\d,+]+) ', markup)[0]
