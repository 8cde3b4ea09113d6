"""What the demo reports."""

from worker.reports.shapes import Shape


class PushReport(Shape):
    """Rows pushed into the campaign together, and what they came to."""

    what: str
    jobs: int
    received: int
    created: int
    updated: int
    unchanged: int
    duplicates: int
    errors: int
    seconds: float

    @property
    def counts(self) -> str:
        """Created, updated (unchanged), duplicates and errors, and the rows that they account for."""
        return (
            f"{self.created:,} + {self.updated:,} ({self.unchanged:,} unchanged) + {self.duplicates:,}"
            f" + {self.errors:,} = {self.received:,}"
        )


class Check(Shape):
    """One thing that must add up."""

    what: str
    expected: str
    found: str

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return self.expected == self.found


class DemoReport(Shape):
    """The whole demo. Rates are per second, of whole steps with all their waiting."""

    campaign_id: str
    pushes: list[PushReport]
    leads_per_second: int
    messages_per_second: int
    checks: list[Check]
    adds_up: bool
    outbox: str
    data_dir: str
    seconds: float
