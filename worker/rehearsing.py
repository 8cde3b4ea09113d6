"""The dry run of an import: the same parts, judged and counted as the import would, and nothing written."""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager

from domain.rows import fold
from worker.files.records import LineError, Row
from worker.importing import COUNTS, errors_of
from worker.reports.dry_run import DryRun


class Rehearsal:
    """Takes the parts of a file as an import does."""

    def __init__(self, campaign_id: str, run: DryRun) -> None:
        self.campaign_id = campaign_id
        self.counts = Counter[str](dict.fromkeys(COUNTS, 0))
        self.received, self.rejected, self.jobs = 0, 0, 0
        self._run = run

    def send(self, chunk: Sequence[Row | LineError]) -> list[LineError]:
        """Count what would become of a part of the file; give what of it would not be taken."""
        rows = [record for record in chunk if isinstance(record, Row)]
        folded = fold(row.lead for row in rows)
        errors = errors_of(chunk, rows, folded.errors)
        self.jobs += bool(rows)
        self.counts.update(self._run.add(folded).model_dump(include=set(COUNTS)))
        self.received += len(chunk)
        self.rejected += len(errors)
        return errors

    def live(self) -> None:
        """Nobody looks."""

    def keep_nothing_back(self) -> None:
        """Nothing is kept."""


@contextmanager
def rehearsing(campaign_id: str, workspace: int | None = None) -> Generator[Rehearsal]:
    """Import into a campaign, in thought."""
    with closing(DryRun(campaign_id, workspace)) as run:
        yield Rehearsal(campaign_id, run)
