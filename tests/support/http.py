"""The HTTP door, as a program with a key would use it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx
from fastapi.testclient import TestClient

from domain.api_key import DEFAULT_SCOPES, Scope
from support.app import shared_app
from worker.store.api_keys import create_key

STEPS = [{"subject": "Hi {{firstName|there}}", "bodyHtml": "<p>Hi</p>"}]


class Caller:
    """A client with a key of one workspace."""

    def __init__(
        self, client: TestClient, workspace: str = "default", scopes: tuple[Scope, ...] = DEFAULT_SCOPES
    ) -> None:
        self._client = client
        self.token = create_key(workspace, "test", scopes).token

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return self._client.request(method, path, headers=headers, **options)

    def campaign(self, *, start: bool = False) -> str:
        """Create a campaign of one step; give its id."""
        created: str = self("POST", "/v1/campaigns", json={"name": "A", "sequenceSteps": STEPS}).json()["data"]["id"]
        if start:
            self.push(created, [{"email": "first@x.test"}])
            assert self("POST", f"/v1/campaigns/{created}/start").status_code == 200
        return created

    def push(self, campaign_id: str, leads: list[Any], **options: Any) -> httpx.Response:
        """Upsert leads in bulk."""
        return self("POST", f"/v1/campaigns/{campaign_id}/leads/bulk", json={"leads": leads}, **options)


NewCaller = Callable[..., Caller]


@contextmanager
def serving() -> Iterator[NewCaller]:
    """Run the app inside this process; give what makes callers of it."""
    with TestClient(shared_app(), raise_server_exceptions=False) as client:
        yield lambda *arguments, **options: Caller(client, *arguments, **options)
