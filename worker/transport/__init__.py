"""The ways out for messages, picked by the scheme of ENROLL_TRANSPORT_URL."""

from collections.abc import Callable
from urllib.parse import urlsplit

from worker.settings import Settings, UnusableSetting
from worker.transport.file import FileTransport
from worker.transport.message import sender
from worker.transport.protocol import Message, Rejected, Transport, TransportUnavailable

__all__ = ["Message", "Rejected", "Transport", "TransportUnavailable", "check_mail_settings", "open_transport"]

_OPENERS: dict[str, Callable[[str], Transport]] = {"file": FileTransport.open}


def open_transport(url: str) -> Transport:
    """Open the transport that the URL names; `UnusableSetting` where there is none, or it cannot be used."""
    _check_url(url)
    return _OPENERS[_scheme(url)](url)


def check_mail_settings(settings: Settings) -> None:
    """Raise `UnusableSetting` where no message could leave: better at the start than with the first send."""
    sender(settings.mail_from)
    _check_url(settings.effective_transport_url)


def _check_url(url: str) -> None:
    if _scheme(url) not in _OPENERS:
        known = " or ".join(f"{scheme}://" for scheme in _OPENERS)
        raise UnusableSetting(f"ENROLL_TRANSPORT_URL cannot be used: must start with {known}")


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError as error:
        raise UnusableSetting(f"ENROLL_TRANSPORT_URL cannot be used: {error}") from None
