"""An import: rows sent as jobs, a few at a time. Whoever upserts a lead meanwhile waits milliseconds, not for it.

The same for `enroll import` and for the HTTP door. Jobs have 500 rows whatever the pace at which they come, so that a
dry run counts what the import would.
"""

import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import inf
from time import monotonic, sleep

from sqlalchemy.exc import SQLAlchemyError

from domain.errors import Refusal
from domain.job import IdempotencyKey
from domain.rows import RowError
from worker.files.records import LineError, Records, Row
from worker.patience import until_done
from worker.reports.jobs import JobReport, read_jobs
from worker.store import imports
from worker.store.door_tables import LeadImport
from worker.store.imports import Chunk
from worker.store.ledger import Request
from worker.store.trouble import is_store_trouble, reason_of
from worker.telemetry import where_and_what

JOB_ROWS = 500
# Of long rows there are fewer in a job: 500 of 64 KiB would take 100 MB to judge.
JOB_CHARACTERS = 1024 * 1024
# The lane takes up together what came together: 25,000 rows a second, 21,000 of two jobs a commit, 15,000 of one.
JOBS_A_COMMIT = 4
# Enough to keep a worker busy while the next ones are made, and little to wait for: a single lead has 4,000 rows before
# it, 0.1 s.
WAITING_JOBS = 2 * JOBS_A_COMMIT
NOTICE_SECONDS = 10.0
# A restart of PostgreSQL takes seconds, a failover half a minute.
PATIENCE_WITH_STORE_SECONDS = 30.0

COUNTS = ("created", "updated", "unchanged", "enrolled", "duplicates", "skipped")
_FIRST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.25
_LOOK_AT_JOBS = 16
_HEARD_EVERY_SECONDS = 10.0

log = logging.getLogger(__name__)


class CutShort(Exception):
    """Not all of a file came: the message says why."""


def chunks(records: Records) -> Iterator[Sequence[Row | LineError]]:
    """Give records in the parts that become jobs; when reading fails, first those that came before."""
    chunk: list[Row | LineError] = []
    characters = 0
    try:
        for record in records:
            chunk.append(record)
            characters += record.size if isinstance(record, Row) else 0
            if len(chunk) == JOB_ROWS or characters >= JOB_CHARACTERS:
                yield chunk
                chunk, characters = [], 0
    except Exception:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


class Import:
    """One import and its jobs: sent, waiting, applied or dead. `say` tells a person.

    `patience`: for how many seconds a part waits while too many jobs do, before it is accepted all the same. At a
    terminal for ever; over HTTP briefly, because a client gives up on an upload that does not move: without a worker
    an upload is slow, not stuck.
    """

    def __init__(self, begun: LeadImport, campaign_id: str, say: Callable[[str], None], patience: float = inf) -> None:
        self.id = begun.public_id
        self.campaign_id = campaign_id
        self.counts = Counter[str](dict.fromkeys(COUNTS, 0))
        self.received, self.rejected, self.jobs = 0, 0, 0
        self.dead: list[JobReport] = []
        self._begun = begun
        self._say = say
        self._patience = patience
        self._place = 0
        self._heard = monotonic()
        self._waiting: dict[str, int] = {}
        self._gathered: list[Chunk] = []

    def send(self, chunk: Sequence[Row | LineError]) -> list[LineError]:
        """Have a part of the file accepted, soon, with those around it; give what of it will not be taken."""
        self._place += 1
        rows = [record for record in chunk if isinstance(record, Row)]
        request = self._request(rows) if rows else None
        errors = errors_of(chunk, rows, request.folded.errors if request else [])
        self._gathered.append(Chunk(self._place, len(chunk), errors, request))
        if len(self._gathered) == JOBS_A_COMMIT:
            self.keep_nothing_back()
        return errors

    def keep_nothing_back(self) -> None:
        """Have what is gathered accepted, once there is room for it."""
        self._accept(self._patience)

    def wait(self) -> None:
        """Wait until every job is applied or dead."""
        self.keep_nothing_back()
        self._wait_for_room(0, inf)

    def live(self) -> None:
        """Let it be seen that the file is still being read. Called often, writes seldom."""
        if monotonic() - self._heard >= _HEARD_EVERY_SECONDS:
            self._heard = monotonic()
            with suppress(SQLAlchemyError):
                imports.hear(self._begun.number)

    def end(self) -> None:
        """Have the rest accepted: that was all of the file."""
        self.keep_nothing_back()
        until_done(lambda: imports.end(self._begun.number, "complete"), within=PATIENCE_WITH_STORE_SECONDS)

    def end_early(self, error: BaseException) -> None:
        """Note why it was cut short. A file that was refused before anything of it was taken leaves no trace."""
        try:
            if isinstance(error, Exception):  # who interrupts it wants nothing more
                self._accept(patience=0)
            if isinstance(error, Refusal) and not self._place:
                imports.forget(self._begun.number)
            else:
                imports.end(self._begun.number, "incomplete", _told(error))
        except (Refusal, SQLAlchemyError) as trouble:  # its silence will tell
            log.warning("import %s cannot be ended: %s", self.id, where_and_what(trouble))

    def _accept(self, patience: float) -> None:
        chunks, self._gathered = self._gathered, []
        if not chunks:
            return
        jobs = sum(chunk.request is not None for chunk in chunks)
        self._wait_for_room(WAITING_JOBS - jobs, patience)
        accepted = until_done(
            lambda: imports.accept_chunks(self._begun.number, chunks), within=PATIENCE_WITH_STORE_SECONDS
        )
        self._heard = monotonic()
        self._waiting.update((job.job_id, job.job_number) for job in accepted)
        self.jobs += len(accepted)
        self.received += sum(chunk.received for chunk in chunks)
        self.rejected += sum(len(chunk.errors) for chunk in chunks)

    def _request(self, rows: Sequence[Row]) -> Request:
        # A key, so that whoever does not know whether a job was committed can try again.
        key = IdempotencyKey("import", f"{self._begun.number}:{self._place}")
        leads = [row.lead for row in rows]
        return Request.of(self.campaign_id, leads, key, self._begun.workspace_number, self._begun.number)

    def _wait_for_room(self, at_most: int, patience: float) -> None:
        began = last_progress = monotonic()
        pause = _FIRST_PAUSE_SECONDS
        while len(self._waiting) > at_most and monotonic() - began < patience:
            self.live()
            if self._take_note():
                pause, last_progress = _FIRST_PAUSE_SECONDS, monotonic()
                continue
            if monotonic() - last_progress >= NOTICE_SECONDS:
                self._say(
                    f"Waiting for a worker: no job was applied for {NOTICE_SECONDS:.0f} s. Start `enroll up`; "
                    "Ctrl-C ends this import, what it has sent will be applied."
                )
                last_progress = inf
            sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _take_note(self) -> bool:
        oldest = list(self._waiting.values())[:_LOOK_AT_JOBS]
        finished = [job for job in read_jobs(oldest) if job.status != "accepted"]
        for job in finished:
            del self._waiting[job.id]
            if job.status == "applied":
                self.counts.update({name: getattr(job, name) for name in COUNTS})
            else:
                self.dead.append(job)
        return bool(finished)


@contextmanager
def importing(
    campaign_id: str,
    workspace: int | None = None,
    *,
    say: Callable[[str], None] = lambda _: None,
    patience: float = inf,
) -> Generator[Import]:
    """Import into a campaign; at the end it is complete, or incomplete with the reason why."""
    import_ = Import(imports.begin(campaign_id, workspace), campaign_id, say, patience)
    try:
        yield import_
    except BaseException as error:
        import_.end_early(error)
        say(("Interrupted. " if isinstance(error, KeyboardInterrupt) else "") + _accepted_so_far(import_))
        raise
    import_.end()


def _accepted_so_far(import_: Import) -> str:
    accepted = import_.received - import_.rejected
    return (
        f"Rows accepted so far: {accepted:,} (jobs: {import_.jobs:,}); they will be applied. "
        "The import can be run again from the start."
    )


def errors_of(chunk: Sequence[Row | LineError], rows: Sequence[Row], row_errors: Sequence[RowError]) -> list[LineError]:
    """List what of a part was not taken, by line: what never was a row, and rows that were judged bad."""
    bad_rows = [
        LineError(rows[error.index].line, error.email, error.field, error.code, error.message) for error in row_errors
    ]
    unreadable = [record for record in chunk if isinstance(record, LineError)]
    return sorted([*unreadable, *bad_rows], key=lambda error: error.line)


def _told(error: BaseException) -> str:
    if isinstance(error, Refusal | CutShort):
        return str(error)
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return "it was interrupted"
    if is_store_trouble(error):
        return f"the store was in trouble: {reason_of(error)}"
    log.error("an import failed: %s", where_and_what(error))
    return "something went wrong on our side: see the log"
