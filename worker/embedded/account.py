"""As whom a server runs: PostgreSQL refuses root, so root lends it the account `nobody`."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# Without locale and library variables of the user: initdb would take the first over, macOS' PostgreSQL refuses to
# start without LC_ALL.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_NOBODY = 65534


@dataclass(frozen=True)
class Account:
    """A user of the system; all None for the one we are."""

    user: int | None = None
    group: int | None = None
    name: str = "you"

    def popen(self, command: Sequence[str], *, folder: Path, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a program of this account in a session of its own."""
        return subprocess.Popen(  # noqa: S603  # only the wheels' programs
            command,
            cwd=folder,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=self.user,
            group=self.group,
            extra_groups=self._extra_groups,
        )

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a program of this account to its end."""
        return subprocess.run(  # noqa: S603  # only the wheels' programs
            command,
            cwd="/",
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            user=self.user,
            group=self.group,
            extra_groups=self._extra_groups,
        )

    def can_run(self, program: Path) -> bool:
        """Whether the program, with the libraries it loads, runs as this account."""
        return self._is_us or self._succeeds([str(program), "--version"])

    def can_enter(self, folder: Path) -> bool:
        """Whether this account may reach and search the folder. Asked of the kernel, which knows ACLs and the rest."""
        return self._is_us or self._succeeds(["/bin/sh", "-c", 'test -x "$0"', str(folder)])

    def own(self, path: Path) -> None:
        """Give a file or folder that we made to this account."""
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)

    @property
    def _is_us(self) -> bool:
        return self.user is None

    @property
    def _extra_groups(self) -> Sequence[int] | None:
        return None if self._is_us else ()

    def _succeeds(self, command: Sequence[str]) -> bool:
        try:
            return self.run(command).returncode == 0
        except PermissionError:
            return False


OURSELVES = Account()


def unprivileged() -> Account:
    """`nobody` for root, ourselves for everybody else."""
    if os.geteuid() != 0:
        return OURSELVES
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Account(_NOBODY, _NOBODY, str(_NOBODY))
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
