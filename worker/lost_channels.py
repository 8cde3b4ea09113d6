"""A channel of kombu whose connection is closed says so, instead of ending the worker.

kombu 5.7 gives messages back and acknowledges them by a client that it makes when it needs one. Where the broker went
away with a message in hand, that is after the connection was closed: the channel looks for a transport that is no more,
which is an AttributeError, and Celery takes that for a fault of its own and exits. As an error of the connection it is
logged, and the message comes back after the visibility timeout. Seen at each second failover of Sentinel, and with any
Redis that stays away for longer than a worker needs to notice.
"""

from typing import Any, cast

from kombu.transport.redis import Channel
from redis.exceptions import ConnectionError as ConnectionLost

_Channel = cast("Any", Channel)
_connparams = _Channel._connparams  # noqa: SLF001  # kombu offers no other place


def admit_the_loss() -> None:
    """Have channels raise an error of the connection where there is none any more; doing it twice is harmless."""
    _Channel._connparams = _of_a_connection_that_lives  # noqa: SLF001  # as above


def _of_a_connection_that_lives(channel: Any, asynchronous: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  # kombu's
    if channel.connection is None or channel.connection.client is None:
        raise ConnectionLost("the connection of this channel is closed")
    return _connparams(channel, asynchronous)
