"""What machine and which servers the figures are of."""

import os
import platform
from typing import Any, cast

from psycopg import errors

from worker.bench.database import Connection, one_value
from worker.nudges import redis

_DURABILITY = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers")


def facts(connection: Connection) -> dict[str, str | int]:
    """Read them."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "postgresql": one_value(connection, "SHOW server_version"),
        "broker": _broker(),
        **{name: _setting(connection, name) for name in _DURABILITY},
    }


def _setting(connection: Connection, name: str) -> str:
    try:
        return one_value(connection, "SELECT current_setting(%s)", name)
    except errors.InsufficientPrivilege:
        return "hidden"


def _broker() -> str:
    info: dict[str, str] = cast("Any", redis()).info("server")
    name = "valkey" if "valkey_version" in info else "redis"
    return f"{name} {info[f'{name}_version']}"
