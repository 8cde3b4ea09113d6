"""Connections that lie, dawdle or go away harm nobody."""

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Store
from support.api_process import api_process
from support.database import sql
from support.polling import until

from domain.api_key import DEFAULT_SCOPES
from worker.store import campaigns
from worker.store.api_keys import create_key
from worker.web import body as bodies
from worker.web.envelope import Envelope

BODY = json.dumps({"leads": [{"email": "a@x.test"}]}).encode()


class Server:
    """An API process, and raw requests to it."""

    def __init__(self, port: int) -> None:
        self._port = port
        token = create_key("default", "raw", DEFAULT_SCOPES).token
        campaign = campaigns.create_campaign("default", "A", []).public_id
        self.head = (
            f"POST /v1/campaigns/{campaign}/leads/bulk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nPrefer: respond-async\r\n"
        ).encode()

    def open(self, *parts: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        connection.sendall(self.head + b"".join(parts))
        return connection

    def answer(self, *parts: bytes) -> bytes:
        with self.open(*parts) as connection:
            return connection.recv(65_536).partition(b"\r\n")[0]


@pytest.fixture
def server(store: Store, tmp_path: Path) -> Iterator[Server]:  # noqa: ARG001  # the store it serves
    with api_process(tmp_path / "api.log") as port:
        yield Server(port)


def test_a_content_length_that_lies_takes_nothing_in(server: Server) -> None:
    """Too long: the caller goes away before the body is there. Too short: what is there is no JSON."""
    server.open(b"Content-Length: 1000\r\n\r\n", BODY).close()
    assert server.answer(b"Content-Length: 10\r\n\r\n", BODY).startswith(b"HTTP/1.1 400")
    assert server.answer(b"Content-Length: -1\r\n\r\n", BODY).startswith(b"HTTP/1.1 400")
    assert server.answer(b"Content-Length: 99999999999999999999\r\n\r\n").startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))
    assert sql("SELECT count(*) FROM job") == [(0,)]

    assert server.answer(b"Content-Length: %d\r\n\r\n" % len(BODY), BODY).startswith(b"HTTP/1.1 202")


def test_many_who_dawdle_hold_up_nobody(server: Server) -> None:
    dawdling = [server.open(b"Content-Length: 1000\r\n\r\n", b"{") for _ in range(200)]

    assert server.answer(b"Content-Length: %d\r\n\r\n" % len(BODY), BODY).startswith(b"HTTP/1.1 202")

    for connection in dawdling:
        connection.close()


def test_a_caller_that_goes_away_while_it_waits_leaves_its_job(server: Server) -> None:
    server.head = server.head.replace(b"respond-async", b"wait=30")
    connection = server.open(b"Content-Length: %d\r\n\r\n" % len(BODY), BODY)
    until(lambda: sql("SELECT count(*) FROM job") == [(1,)], what="the job")
    connection.close()


@pytest.mark.usefixtures("store")
def test_callers_that_wait_while_the_api_is_to_stop_get_the_address_of_their_job(tmp_path: Path) -> None:
    with api_process(tmp_path / "api.log") as port:
        server = Server(port)
        server.head = server.head.replace(b"respond-async", b"wait=30")
        waiting = [server.open(b"Content-Length: %d\r\n\r\n" % len(BODY), BODY) for _ in range(20)]
        until(lambda: sql("SELECT count(*) FROM job") == [(20,)], what="the jobs")
    for connection in waiting:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 202")
        connection.close()


def test_a_body_that_takes_too_long_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_ARRIVES_WITHIN_SECONDS", 0.05)
    sent: list[Any] = []

    async def never_finishing() -> Any:
        if not sent:
            sent.append("begun")
            return {"type": "http.request", "body": b"{", "more_body": True}
        await asyncio.Event().wait()
        return None

    async def collect(message: Any) -> None:
        sent.append(message)

    async def never_reached(*_: Any) -> None:
        raise AssertionError

    app = Envelope(bodies.LimitedBodies(never_reached, streamed="/leads/import"))
    asyncio.run(app({"type": "http", "method": "POST", "path": "/v1/x", "headers": []}, never_finishing, collect))

    assert sent[1]["status"] == 400
    assert b"did not arrive within" in sent[2]["body"]
