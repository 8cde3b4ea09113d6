"""Who does the work: the name of this process, as the operations page shows it."""

import os
import socket
from importlib.metadata import version as version_of

_name = f"enroll@{socket.gethostname()}"


def be_called(name: str) -> None:
    """Take the name of the worker that this process is; its children inherit it."""
    global _name  # noqa: PLW0603  # a process has one name, and gets it once
    _name = name


def process_name() -> str:
    """Give the name of the worker and the number of this very process."""
    return f"{_name}:{os.getpid()}"


def version() -> str:
    """Give the version of this program, as it is installed."""
    return version_of("enrollment-worker")
