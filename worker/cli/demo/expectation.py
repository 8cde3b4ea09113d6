"""What must come out, said by the pure rules of `domain` alone."""

from collections.abc import Iterable, Sequence

from domain import merge
from domain.merge import LeadFields
from domain.rows import fold
from worker.cli.demo.shapes import PushReport


class Expectation:
    """The leads of a campaign after each push, if every job is applied once and in order."""

    def __init__(self) -> None:
        self.leads: dict[str, LeadFields] = {}

    def push(self, what: str, jobs: Iterable[Sequence[object]]) -> PushReport:
        """Take in jobs; give what the store must report about them."""
        folded = [fold(rows) for rows in jobs]
        outcomes = [outcome for rows in folded for outcome in merge.apply(self.leads, rows.leads)]
        created = outcomes.count("created")
        return PushReport(
            what=what,
            jobs=len(folded),
            received=sum(rows.received for rows in folded),
            created=created,
            updated=len(outcomes) - created,
            unchanged=outcomes.count("unchanged"),
            duplicates=sum(len(rows.duplicates) for rows in folded),
            errors=sum(len(rows.errors) for rows in folded),
            seconds=0,
        )
