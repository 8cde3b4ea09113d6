"""How far a campaign is, in steps: each step of each lead is sent, failed, given up after a failure, or to come."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """What was counted of a campaign. `given_up`: steps that nobody gets, because one before them failed.

    `waiting`: leads that are due, counted up to a bound; None: more than that; `oldest_seconds`: for how long the first
    of them has been, where that was asked. `per_minute`: how many sends came to an end in a minute, lately.
    """

    enrolled: int
    steps: int
    released: int
    sent: int
    failed: int
    given_up: int
    waiting: int | None
    per_minute: float
    runs: bool
    last_released_at: datetime | None = None
    oldest_seconds: float | None = None

    @property
    def total(self) -> int:
        """How many steps there are to be sent in all."""
        return max(self.enrolled * self.steps - self.given_up, self.sent + self.failed)

    @property
    def left(self) -> int:
        """How many are neither sent nor failed."""
        return self.total - self.sent - self.failed

    @property
    def held(self) -> int:
        """How many of them wait for somebody to start or resume the campaign."""
        return 0 if self.runs else self.left

    @property
    def remaining(self) -> int:
        """How many of them come by themselves."""
        return self.left - self.held

    @property
    def in_hand(self) -> int:
        """How many are released and have not come to an end."""
        return max(self.released - self.sent - self.failed, 0)

    @property
    def to_do_now(self) -> int:
        """How many can be sent now; at most, where too many are due to be counted."""
        return self.left if self.waiting is None else min(self.waiting + self.in_hand, self.left)

    @property
    def minutes_left(self) -> float | None:
        """In how many minutes those are sent at this pace; None: nothing moves, or nothing is to be done."""
        if not self.runs or not self.per_minute or not self.to_do_now:
            return None
        return self.to_do_now / self.per_minute
