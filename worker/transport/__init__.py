"""The ways out for messages, picked by the scheme of ENROLL_TRANSPORT_URL."""

from collections.abc import Callable
from urllib.parse import urlsplit

from worker.settings import UnusableSetting
from worker.transport.file import FileTransport
from worker.transport.protocol import Message, Rejected, Transport, TransportUnavailable

__all__ = ["Message", "Rejected", "Transport", "TransportUnavailable", "check_transport_url", "open_transport"]

_OPENERS: dict[str, Callable[[str], Transport]] = {"file": FileTransport.open}


def open_transport(url: str) -> Transport:
    """Open the transport that the URL names; `UnusableSetting` where there is none, or it cannot be used."""
    check_transport_url(url)
    return _OPENERS[_scheme(url)](url)


def check_transport_url(url: str) -> None:
    """Raise `UnusableSetting` unless the URL names a transport that there is."""
    if _scheme(url) not in _OPENERS:
        known = " or ".join(f"{scheme}://" for scheme in _OPENERS)
        raise UnusableSetting(f"ENROLL_TRANSPORT_URL cannot be used: must start with {known}")


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError as error:
        raise UnusableSetting(f"ENROLL_TRANSPORT_URL cannot be used: {error}") from None
