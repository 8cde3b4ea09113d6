"""A source: a sender of webhooks, and how what it sends becomes leads."""

from typing import Literal

Outcome = Literal[
    "accepted",
    "replayed",
    "no_leads",
    "refused",
    "invalid_request",
    "payload_too_large",
    "backlog_full",
    "idempotency_key_reused",
]
"""What became of a delivery. `refused`: not signed as it must be, or the source is disabled."""
