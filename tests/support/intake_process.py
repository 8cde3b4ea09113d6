"""The reader of the stream as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def intake_process(log: Path, **environment: str) -> Iterator[None]:
    """Run `enroll intake`. It must end cleanly when asked to."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker", "intake"],
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
        )
    try:
        yield
    finally:
        process.terminate()
        code = process.wait(30)
    assert code == 0
