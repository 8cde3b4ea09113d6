"""The HTTP door on a real port, and an upload sent to it bit by bit, which may also just end."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import uvicorn

from support.app import shared_app
from support.polling import until


@contextmanager
def listening(*, stops_within: int = 5) -> Iterator[int]:
    """Serve on a free port, which is given."""
    config = uvicorn.Config(shared_app(), port=0, log_level="warning", timeout_graceful_shutdown=stops_within)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


class SlowUpload:
    """A POST whose body comes in chunks, whenever they are sent."""

    def __init__(self, port: int, path: str, token: str, content_type: str = "text/csv") -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        head = [
            f"POST {path} HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {token}",
            f"Content-Type: {content_type}",
            "Transfer-Encoding: chunked",
        ]
        self._connection.sendall("\r\n".join([*head, "", ""]).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, content: str | bytes) -> Self:
        sent = content.encode() if isinstance(content, str) else content
        self._connection.sendall(b"%x\r\n%b\r\n" % (len(sent), sent))
        return self

    def cut(self) -> None:
        """As when a cable is pulled."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._connection.close()

    def end(self) -> Any:
        """Finish the body; give what `answer` gives."""
        self._connection.sendall(b"0\r\n\r\n")
        return self.answer()

    def answer(self) -> tuple[int, Any]:
        """Wait for the answer; give its status and its JSON."""
        with self._connection, self._connection.makefile("rb") as read:
            status = int(read.readline().split()[1])
            length = 0
            while (line := read.readline()).strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            return status, json.loads(read.read(length))
