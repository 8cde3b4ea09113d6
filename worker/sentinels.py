"""`sentinel://…`: a Redis whose Sentinels say which of its servers is the master just now.

    sentinel://[[USER]:PASSWORD@]HOST[:26379][,HOST[:26379]…][/DB]?master=NAME[&sentinel_password=PASSWORD]

USER and PASSWORD are those of Redis; `sentinel_password` is for Sentinels that want one themselves.
"""

import re
from typing import NamedTuple, Self
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

SCHEME = "sentinel"
_PORT = 26_379


class Sentinels(NamedTuple):
    """Who is asked for the master `master`, and how one logs in there."""

    hosts: tuple[tuple[str, int], ...]
    master: str
    username: str | None
    password: str | None
    database: int
    sentinel_password: str | None

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a URL; ValueError says what is missing or not known."""
        # Not by urlsplit alone: it takes one address in brackets, but not everywhere a list with some.
        user, hosts, rest = _divided(url)
        parts = urlsplit(rest)
        username, _, password = user.partition(":")
        told = _parameters(parts)
        return cls(
            hosts=tuple(_host(host) for host in hosts.split(",")),
            master=told["master"],
            username=unquote(username) or None,
            password=unquote(password) or None,
            database=_database(parts.path),
            sentinel_password=told.get("sentinel_password"),
        )

    def for_kombu(self) -> str:
        """Give the URL as Celery wants it: one for each Sentinel, each with all the rest."""
        user = f"{quote(self.username or '', safe='')}:{quote(self.password, safe='')}@" if self.password else ""
        return ";".join(f"{SCHEME}://{user}{_shown(host)}:{port}/{self.database}" for host, port in self.hosts)


def _divided(url: str) -> tuple[str, str, str]:
    """Give the user, the hosts, and what stands behind them."""
    rest = url.partition("://")[2]
    network = re.split("[/?#]", rest, maxsplit=1)[0]
    user, _, hosts = network.rpartition("@")
    return user, hosts, rest[len(network) :]


def _parameters(parts: SplitResult) -> dict[str, str]:
    told = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if "master" not in told:
        raise ValueError(f"{SCHEME}://… needs ?master=NAME, the name by which the Sentinels know the master")
    if unknown := told.keys() - {"master", "sentinel_password"}:
        raise ValueError(f"{SCHEME}://… has no parameter {min(unknown)}: only master and sentinel_password")
    return told


def _host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(f"{SCHEME}://… needs the Sentinels as HOST:PORT, with commas between them")
    return parts.hostname, parts.port or _PORT


def _database(path: str) -> int:
    text = path.strip("/")
    if text and not text.isdecimal():
        raise ValueError(f"{SCHEME}://…/DB needs the number of a database")
    return int(text or 0)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
