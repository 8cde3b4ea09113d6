"""The API as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.polling import until
from worker.embedded.process import free_port, listens


@contextmanager
def api_process(log: Path, **environment: str) -> Iterator[int]:
    """Run `enroll api`; gives its port. It must end cleanly when asked to, and without a traceback in its log."""
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker", "api", "--port", str(port)],
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: process.poll() is not None or listens("127.0.0.1", port), what="the API's listening")
        assert process.poll() is None, log.read_text()
        yield port
    finally:
        process.terminate()
        code = process.wait(30)
    assert code == 0
    assert "Traceback" not in log.read_text()
