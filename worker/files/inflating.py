"""Content under `Content-Encoding: gzip`, inflated as it is read; and no content beyond a limit."""

import io
import zlib
from typing import Any

from domain.errors import PayloadTooLarge
from worker.files.records import UnusableFile

_CHUNK = 64 * 1024
# Leads inflate 5 to 30 times, DEFLATE reaches 1,030: what goes on like that is a bomb, whatever it holds.
MAX_RATIO = 250
_JUDGED_FROM = 512 * 1024


class InflatesTooMuch(PayloadTooLarge):
    """The content inflates to more than {limit:,} times its size: send it without Content-Encoding, or in parts."""


class Limited(io.RawIOBase):
    """A stream that may give so many bytes; `PayloadTooLarge` when there are more."""

    def __init__(self, source: io.RawIOBase, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._given = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read some."""
        count = self._source.readinto(buffer) or 0
        self._given += count
        if self._given > self._limit:
            raise PayloadTooLarge(size=f"more than {self._limit:,}", unit="bytes", limit=f"{self._limit:,}")
        return count


class Inflated(io.RawIOBase):
    """What a gzip stream holds, all its members. Never more than a chunk of it is in memory."""

    def __init__(self, source: io.RawIOBase) -> None:
        self._source = source
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._deflated = b""
        self._read, self._given = 0, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Inflate some; `UnusableFile` when it is no gzip stream, or ends too early."""
        while not self._member.eof or self._begin_next_member():
            # Without looking whether there is anything left to inflate: a member may hold back what it has read.
            inflated = self._inflate(len(buffer))
            if inflated:
                buffer[: len(inflated)] = inflated
                return len(inflated)
            if not self._member.eof and not self._deflated and not self._refill():
                raise UnusableFile(reason="its gzip stream ends too early: compress and send it again")
        return 0

    def _inflate(self, at_most: int) -> bytes:
        try:
            inflated = self._member.decompress(self._deflated, at_most)
        except zlib.error as error:
            raise UnusableFile(reason=f"it is no gzip stream, or damaged ({error}): compress it again") from None
        self._deflated = self._member.unconsumed_tail or self._member.unused_data
        self._given += len(inflated)
        if self._given > _JUDGED_FROM and self._given > MAX_RATIO * (self._read - len(self._deflated)):
            raise InflatesTooMuch(limit=MAX_RATIO)
        return inflated

    def _refill(self) -> bool:
        self._deflated = self._source.read(_CHUNK) or b""
        self._read += len(self._deflated)
        return bool(self._deflated)

    def _begin_next_member(self) -> bool:
        # What is left of a chunk may be the next member; padding with zeros is none.
        self._deflated = self._deflated.lstrip(b"\0")
        while not self._deflated:
            if not self._refill():
                return False
            self._deflated = self._deflated.lstrip(b"\0")
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return True
