"""Rows sent as jobs, a few at a time: whoever upserts a lead meanwhile waits milliseconds, not for the import."""

from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic, sleep

from worker.files.records import LineError, Row
from worker.reports.jobs import JobReport, read_jobs
from worker.store import ledger

JOB_ROWS = 500
# As many rows as a lane takes in one transaction: enough to keep a worker busy.
WAITING_JOBS = 4
NOTICE_SECONDS = 10.0

COUNTS = ("created", "updated", "unchanged", "enrolled", "duplicates", "skipped")
_FIRST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.25


class Intake:
    """Where the jobs of one import are: sent, waiting, applied or dead. `say` tells a person."""

    def __init__(self, campaign_id: str, say: Callable[[str], None]) -> None:
        self.campaign_id = campaign_id
        self.counts = Counter[str](dict.fromkeys(COUNTS, 0))
        self.accepted_rows = 0
        self.jobs = 0
        self.dead: list[JobReport] = []
        self._say = say
        self._waiting: dict[str, int] = {}

    def send(self, rows: Sequence[Row]) -> list[LineError]:
        """Have rows accepted as one job, once there is room for it; give those that were not taken."""
        self._wait_for_room(WAITING_JOBS - 1)
        acceptance = ledger.accept(self.campaign_id, [row.lead for row in rows])
        self._waiting[acceptance.job_id] = acceptance.job_number
        self.jobs += 1
        self.accepted_rows += acceptance.received - len(acceptance.errors)
        return [
            LineError(rows[error.index].line, error.email, error.field, error.code, error.message)
            for error in acceptance.errors
        ]

    def wait(self) -> None:
        """Wait until every job is applied or dead."""
        self._wait_for_room(0)

    def _wait_for_room(self, at_most: int) -> None:
        pause, last_progress = _FIRST_PAUSE_SECONDS, monotonic()
        while len(self._waiting) > at_most:
            if self._take_note():
                pause, last_progress = _FIRST_PAUSE_SECONDS, monotonic()
                continue
            if monotonic() - last_progress >= NOTICE_SECONDS:
                self._say(
                    f"Waiting for a worker: no job was applied for {NOTICE_SECONDS:.0f} s. Start `enroll up`; "
                    "Ctrl-C ends this import, what it has sent will be applied."
                )
                last_progress = float("inf")
            sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _take_note(self) -> bool:
        finished = [job for job in read_jobs(list(self._waiting.values())) if job.status != "accepted"]
        for job in finished:
            del self._waiting[job.id]
            if job.status == "applied":
                self.counts.update({name: getattr(job, name) for name in COUNTS})
            else:
                self.dead.append(job)
        return bool(finished)
