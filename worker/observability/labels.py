"""The values that labels can have: few, and known beforehand."""

from typing import Literal

Outcome = Literal["ok", "retry", "dead", "skipped", "expired"]
ErrorClass = Literal["store", "timeout", "refused", "rejected", "transport", "internal"]
RowOutcome = Literal["created", "updated", "unchanged", "duplicate", "skipped", "error"]
SendOutcome = Literal["accepted", "failed", "unknown", "suppressed"]
