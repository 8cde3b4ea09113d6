"""Clients of the HTTP API, each a process: ready to send before the clock starts."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from domain.api_key import DEFAULT_SCOPES
from worker.bench.http_client import Plan
from worker.bench.place import Place
from worker.bench.programs import MeasureFailed
from worker.store.api_keys import create_key
from worker.store.tables import Campaign
from worker.store.workspaces import DEFAULT_WORKSPACE

_Process = subprocess.Popen[str]

ASYNCHRONOUS = "respond-async"
WAITING = "wait=30"


class Callers:
    """Who calls one API process: a key, and how many clients with how many connections each."""

    def __init__(self, place: Place, port: int, clients: int, connections: int) -> None:
        self._bodies = place.folder / "bodies"
        self._clients = clients
        self._plan = Plan(
            port=port,
            path="",
            token=create_key(DEFAULT_WORKSPACE, "bench", DEFAULT_SCOPES).token,
            prefer=ASYNCHRONOUS,
            bodies=str(self._bodies),
            first=0,
            step=clients,
            connections=connections,
        )

    @contextmanager
    def ready(
        self, campaign: Campaign, bodies: Iterable[bytes], prefer: str = ASYNCHRONOUS
    ) -> Generator[Callable[[], None]]:
        """Give what sends all the requests, once each, and returns when the last is answered."""
        _write(self._bodies, bodies)
        plan = replace(self._plan, path=f"/v1/campaigns/{campaign.public_id}/leads/bulk", prefer=prefer)
        clients = [_started(replace(plan, first=number)) for number in range(self._clients)]
        try:
            for client in clients:
                _read_line(client)
            yield lambda: _send(clients, "202" if prefer == ASYNCHRONOUS else "200")
        finally:
            for client in clients:
                client.kill()
                client.communicate()


def _send(clients: list[_Process], expected: str) -> None:
    for client in clients:
        if client.stdin:
            client.stdin.write("go\n")
            client.stdin.flush()
    statuses = Counter[str]()
    for client in clients:
        statuses.update(json.loads(_read_line(client)))
    if set(statuses) != {expected}:
        raise MeasureFailed(f"not every request was answered with {expected}: {dict(statuses)}")


def _started(plan: Plan) -> _Process:
    command = [sys.executable, "-m", "worker.bench.http_client", plan.write()]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own


def _read_line(client: _Process) -> str:
    line = client.stdout.readline() if client.stdout else ""
    if not line:
        raise MeasureFailed("a client of the API ended")
    return line


def _write(path: Path, bodies: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(body + b"\n" for body in bodies)
