"""The messages that have left, read from the files alone."""

from pathlib import Path

_HEADER_BYTES = 2_000


def recipients(outbox: Path) -> list[str]:
    """Give whom each message is for."""
    return [_recipient(message) for message in outbox.glob("*.eml")]


def _recipient(message: Path) -> str:
    with message.open("rb") as file:
        header = file.read(_HEADER_BYTES).decode()
    return next(line.removeprefix("To: ") for line in header.split("\r\n") if line.startswith("To: "))
