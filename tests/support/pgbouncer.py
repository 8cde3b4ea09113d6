"""PgBouncer in transaction mode, before a database of the tests."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from support.polling import until
from worker.embedded.process import free_port, listens

# As README tells it. `any`: whoever comes is the user named for the database.
_CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={server} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
query_wait_timeout = 5
"""


def program() -> str:
    """Find it, of Debian's package `pgbouncer`. Without it README's promise is unproven: CI must not let that pass."""
    found = shutil.which("pgbouncer")
    if not found and os.environ.get("CI"):
        pytest.fail("pgbouncer is missing: apt-get install pgbouncer")
    return found or pytest.skip("pgbouncer is not here: apt-get install pgbouncer")


@contextmanager
def pgbouncer(database_url: str, folder: Path, pool_size: int) -> Iterator[str]:
    """Run one with so many connections for each database; gives the URL that leads through it."""
    server, port, configuration = urlsplit(database_url), free_port(), folder / "pgbouncer.ini"
    told = {"server": server.port, "user": server.username, "password": server.password}
    configuration.write_text(_CONFIGURATION.format(port=port, pool_size=pool_size, **told))
    account = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [program(), "-q", *account, str(configuration)]
    with (folder / "pgbouncer.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            until(lambda: process.poll() is not None or listens("127.0.0.1", port), what="its listening")
            assert process.poll() is None, (folder / "pgbouncer.log").read_text()
            yield urlunsplit(server._replace(netloc=f"anybody@127.0.0.1:{port}"))
        finally:
            process.kill()
