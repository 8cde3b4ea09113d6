"""What delivery asks of a transport, and what it hands over."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One send, ready to leave: every token is filled in.

    `send_id` is the public id (`send_…`), `mail_from` a mailbox with or without a display name, `to` a normalised
    address, `date` an aware datetime that stays the same when the send is repeated.
    """

    send_id: str
    mail_from: str
    to: str
    subject: str
    html: str
    text: str
    date: datetime


class Rejected(Exception):
    """This send has failed for good. The message says why."""


class TransportUnavailable(Exception):
    """Nothing has left, and nothing is wrong with the sends: try them again later. The message says why."""


class Transport(Protocol):
    """A way out for messages. One instance serves one process and is opened after the fork."""

    @property
    def repeatable(self) -> bool:
        """Whether handing over a send id again is harmless, so that a send of a dead worker may be repeated."""
        ...

    def deliver(self, message: Message) -> None:
        """Hand over one message; raises `Rejected` or `TransportUnavailable`."""
        ...

    def flush(self) -> None:
        """Make everything delivered since the last flush last; only then may it be recorded as `sent`.

        Raises `TransportUnavailable`: then none of it counts as delivered.
        """
        ...

    def close(self) -> None:
        """Give back what the transport holds; what was not flushed does not count as delivered."""
        ...
