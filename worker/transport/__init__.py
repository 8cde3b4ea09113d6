"""The ways out for messages, picked by the scheme of ENROLL_TRANSPORT_URL."""

from collections.abc import Callable
from urllib.parse import urlsplit

from worker.settings import UnusableSetting
from worker.transport.file import FileTransport
from worker.transport.protocol import Message, Rejected, Transport, TransportUnavailable

__all__ = ["Message", "Rejected", "Transport", "TransportUnavailable", "open_transport"]

_OPENERS: dict[str, Callable[[str], Transport]] = {"file": FileTransport.open}


def open_transport(url: str) -> Transport:
    """Open the transport that the URL names; `UnusableSetting` where there is none, or it cannot be used."""
    opener = _OPENERS.get(urlsplit(url).scheme)
    if opener is None:
        known = " or ".join(f"{scheme}://" for scheme in _OPENERS)
        raise UnusableSetting(f"ENROLL_TRANSPORT_URL cannot be used: must start with {known}")
    return opener(url)
