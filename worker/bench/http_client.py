"""A client of the HTTP API, as a program of its own: `python -m worker.bench.http_client PLAN`.

It costs as little as a client can, because it shares the machine with what is measured: requests are made before the
start, and each connection sends its next one when the last was answered. It says "ready", waits for a line, sends,
and says how often it got which status.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self, cast

import uvloop

_LENGTH = b"content-length: "


@dataclass(frozen=True)
class Plan:
    """What to send: the lines `first`, `first + step`, … of the file of bodies, over so many connections."""

    port: int
    path: str
    token: str
    prefer: str
    bodies: str
    first: int
    step: int
    connections: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `write` wrote."""
        return cls(**json.loads(text))

    def write(self) -> str:
        """Write it as one argument."""
        return json.dumps(asdict(self))


def main() -> None:
    """Do what the plan says."""
    plan = Plan.read(sys.argv[1])
    requests = iter(_requests(plan))
    print("ready", flush=True)  # noqa: T201  # whoever started us waits for it
    sys.stdin.readline()
    statuses = uvloop.run(_send(plan, requests))
    print(json.dumps(statuses), flush=True)  # noqa: T201  # as above


class _Connection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, requests: Iterator[bytes], statuses: Counter[str]) -> None:
        self.closed = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._statuses = statuses
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._send_next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if end and len(body) >= _length(head):
            self._statuses[head[9:12].decode()] += 1
            self._received = b""
            self._send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc:
            self._statuses[str(exc)] += 1
        self.closed.set_result(None)

    def _send_next(self) -> None:
        transport = self._transport
        request = next(self._requests, None)
        if transport and request:
            transport.write(request)
        elif transport:
            transport.close()


def _requests(plan: Plan) -> list[bytes]:
    with Path(plan.bodies).open("rb") as file:
        bodies = [line.rstrip(b"\n") for number, line in enumerate(file) if number % plan.step == plan.first]
    head = (
        f"POST {plan.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {plan.token}\r\n"
        f"Content-Type: application/json\r\nPrefer: {plan.prefer}\r\nContent-Length: "
    ).encode()
    return [b"%b%d\r\n\r\n%b" % (head, len(body), body) for body in bodies]


async def _send(plan: Plan, requests: Iterator[bytes]) -> Counter[str]:
    statuses = Counter[str]()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Connection(requests, statuses), "127.0.0.1", plan.port)
        for _ in range(plan.connections)
    ]
    await asyncio.gather(*(connection.closed for _, connection in made))
    return statuses


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.find(_LENGTH) + len(_LENGTH)
    return int(lower[start:].partition(b"\r\n")[0])


if __name__ == "__main__":
    main()
