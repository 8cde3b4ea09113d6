"""Places outside closed folders, for what a server must reach that does not run as ourselves."""

import os
import tempfile
from pathlib import Path

from worker.embedded.account import Account
from worker.embedded.server import ServerFailed

_BASES = (Path("/var/lib/enrollment-worker"), Path("/var/tmp/enrollment-worker"))  # noqa: S108  # looked at before use


def base(account: Account) -> Path:
    """The first base that we can make or own, and that the account can enter; `ServerFailed` where there is none."""
    for path in _BASES:
        if _is_ours(path) and account.can_enter(path):
            return path
    tried = " and ".join(map(str, _BASES))
    raise ServerFailed(
        f"PostgreSQL, which runs as {account.name}, cannot reach the folders it needs, nor {tried}: open one of these"
        " to it, or set ENROLL_DATABASE_URL to a server of yours"
    )


def new_place(account: Account, name: str) -> Path:
    """Make a folder that the account can enter, under a name that no other folder has or had."""
    # Not a name made from the data directory's: a directory that was moved away would share it with its successor.
    place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base(account)))
    place.chmod(0o755)
    return place


def _is_ours(path: Path) -> bool:
    """Whether there is such a folder, made now if need be, into which nobody else can put anything."""
    try:
        path.mkdir()
        path.chmod(0o755)  # whatever our umask is
    except FileExistsError:
        pass
    except OSError:
        return False
    found = path.lstat()
    return path.is_dir() and not path.is_symlink() and found.st_uid == os.geteuid() and not found.st_mode & 0o022
