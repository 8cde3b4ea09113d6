"""How much memory there is: the machine's, or what the container may have of it."""

import os
from contextlib import suppress
from pathlib import Path

_CONTAINER_LIMITS = (  # version 2, version 1; elsewhere than on Linux there are none
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory_mb() -> int:
    """Give the memory in MiB."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *filter(None, map(_limit, _CONTAINER_LIMITS))]) // 2**20


def _limit(file: Path) -> int | None:
    with suppress(OSError, ValueError):  # there is no such file; it says "max"
        return int(file.read_text())
    return None
