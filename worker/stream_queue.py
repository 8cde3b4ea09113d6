"""The stream `enrollment:intake` in Redis, read from its oldest entry on.

| in Redis                     | holds                                                                              |
|------------------------------|------------------------------------------------------------------------------------|
| `enrollment:intake` (stream) | entries that are no jobs yet: an entry is deleted once its job is committed        |
| its group `intake`           | how far they are read (`lag`), and what is read and not yet committed (`pending`)  |

The stream is never trimmed by length: that would drop entries that nobody has read.

A reader takes the oldest entries that are not done, whoever has read them before, and never steps over one. So all
entries before its own are jobs already, however long it was frozen since. Readers of a group do not behave like that
by themselves: each is given new entries while another still holds older ones.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self

from redis import Redis
from redis.exceptions import ResponseError

from worker.redis_client import connect

STREAM = "enrollment:intake"
GROUP = "intake"
# One name for whoever is active: it is a role, and the names of processes that are gone would pile up.
READER = "reader"

BATCH_ENTRIES = 500
# Where a batch ends that has large entries. Redis cannot be asked for a number of bytes, so entries are read a few at
# a time: 25 of the largest allowed are 250 MB in memory, and 500 small ones take 20 round trips, 5 ms.
BATCH_BYTES = 4 * 1024 * 1024
_CHUNK_ENTRIES = 25

_BLOCK_MILLISECONDS = 1_500
_SOCKET_TIMEOUT_SECONDS = 4  # more than a read may block

log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """What a producer added."""

    id: str
    fields: dict[bytes, bytes]

    @property
    def size(self) -> int:
        """Bytes of its fields."""
        return sum(len(name) + len(value) for name, value in self.fields.items())


class IntakeStream:
    """The entries that are not done. Every call raises RedisError when Redis is in trouble."""

    def __init__(self, redis: Redis, block_milliseconds: int = _BLOCK_MILLISECONDS) -> None:
        self._redis: Any = redis
        self._block = block_milliseconds

    @classmethod
    def connect(cls) -> Self:
        """Open a connection of its own: it blocks longer than a nudge may take."""
        limits = {"socket_timeout": _SOCKET_TIMEOUT_SECONDS, "socket_connect_timeout": 2}
        return cls(connect(protocol=2, socket_keepalive=True, **limits))

    def oldest(self) -> list[Entry]:
        """Give the oldest entries that are not done, in order. Where there are none, wait for some, 1.5 s at most."""
        try:
            return self._left_behind() or self._added()
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
        # Nobody has read it before, or Redis was emptied. From 0: what was added since is read too.
        self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        log.info("made the group %s of the stream %s", GROUP, STREAM)
        return []

    def done(self, entries: Sequence[Entry]) -> None:
        """Acknowledge and delete entries whose jobs are committed."""
        ids = [entry.id for entry in entries]
        with self._redis.pipeline(transaction=True) as both:
            both.xack(STREAM, GROUP, *ids)
            both.xdel(STREAM, *ids)
            both.execute()

    def _left_behind(self) -> list[Entry]:
        """Give the oldest of what was read and is not done: its reader died, or could not reach a server."""
        pending = self._redis.xpending_range(STREAM, GROUP, "-", "+", BATCH_ENTRIES)
        ids = [entry["message_id"].decode() for entry in pending]
        return _batch(self._read(ids[n : n + _CHUNK_ENTRIES]) for n in range(0, len(ids), _CHUNK_ENTRIES))

    def _added(self) -> list[Entry]:
        """Give what nobody has read yet."""
        entries = _batch(self._new_chunks())
        # More is pending than was just read: a reader that should have stopped (it was frozen, and woke) has taken
        # some too, maybe older ones.
        stepped_over = self._redis.xpending(STREAM, GROUP)["pending"] != len(entries)
        return self._left_behind() if stepped_over else entries

    def _new_chunks(self) -> Iterator[list[Entry]]:
        chunk = self._read_new(self._block)
        yield chunk
        while len(chunk) == _CHUNK_ENTRIES:
            chunk = self._read_new(None)
            yield chunk

    def _read_new(self, block_milliseconds: int | None) -> list[Entry]:
        streams = self._redis.xreadgroup(GROUP, READER, {STREAM: ">"}, _CHUNK_ENTRIES, block_milliseconds)
        return [Entry(number.decode(), fields) for _, entries in streams for number, fields in entries]

    def _read(self, ids: Sequence[str]) -> list[Entry]:
        # Not by XAUTOCLAIM: of an entry that was deleted, Redis 6.2 gives not even the id, so that it could never be
        # acknowledged and would stay the oldest for ever.
        with self._redis.pipeline(transaction=False) as reads:
            for number in ids:
                reads.xrange(STREAM, number, number)
            found = dict(zip(ids, reads.execute(), strict=True))
        deleted = [number for number, there in found.items() if not there]
        if deleted:
            log.warning("%d entries were deleted by others before they became jobs", len(deleted))
            self._redis.xack(STREAM, GROUP, *deleted)
        return [Entry(number, there[0][1]) for number, there in found.items() if there]


def _batch(chunks: Iterable[list[Entry]]) -> list[Entry]:
    entries: list[Entry] = []
    size = 0
    for chunk in chunks:
        entries += chunk
        size += sum(entry.size for entry in chunk)
        if len(entries) >= BATCH_ENTRIES or size >= BATCH_BYTES:
            break
    return entries
