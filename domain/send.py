"""A send: one message of one step to one lead, and what becomes of it."""

from typing import Literal

from domain.errors import SendNotUnknown

SendStatus = Literal["queued", "sending", "sent", "failed", "unknown", "cancelled"]
Resolution = Literal["sent", "notSent"]


def resolve(status: SendStatus, resolution: Resolution, *, send_id: str) -> SendStatus:
    """Settle a send whose outcome is unknown, as a person has found out."""
    if status != "unknown":
        raise SendNotUnknown(send_id=send_id, status=status)
    return "sent" if resolution == "sent" else "queued"


def retry_delay_seconds(attempts: int) -> int:
    """Say how long a send waits after the transport was unavailable for the `attempts`-th time."""
    return min(5 * 2 ** min(attempts, 10), 600)
