"""Where the processes of one program count: in files of one directory, one a process, by which they are added up.

Needed where a program is several processes: a Celery worker with its pool, all programs of `enroll up`. A program of
one process counts in its memory. Called before `worker.observability.instruments` is imported, which looks here.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_PREFIX = "enroll-metrics-"
_LOCK = "lock"
_made: list[tuple[int, Path]] = []


def shared() -> Path | None:
    """The directory in which this process counts; None where it counts in its memory."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def make_own() -> Path:
    """Make one for this process and its children; remove those of programs that were killed."""
    for leftover in _leftovers():
        shutil.rmtree(leftover, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=_PREFIX))
    # Held until the last process that inherits it has ended, however it ends.
    lock = os.open(made / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.environ[VARIABLE] = str(made)
    _made.append((os.getpid(), made))
    return made


def made_here() -> bool:
    """Tell whether this process has made its own."""
    return any(maker == os.getpid() for maker, _ in _made)


def remove_own() -> None:
    """Remove what this process has made."""
    for maker, directory in _made:
        if maker == os.getpid():
            shutil.rmtree(directory, ignore_errors=True)


def make_anew(directory: Path) -> Path:
    """Make a directory for several programs, without what an earlier run counted."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def _leftovers() -> Iterator[Path]:
    for candidate in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # somebody else's, or gone meanwhile
            if candidate.lstat().st_uid == os.geteuid() and _is_free(candidate / _LOCK):
                yield candidate


def _is_free(lock: Path) -> bool:
    held = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(held)
    return True
