"""The ledger of jobs: accepted once, applied in order, dead with a reason, never lost."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import TypeAdapter
from sqlalchemy import TextClause, text
from sqlmodel import Session, col, select

from domain.errors import IdempotencyKeyReused, JobNotDead, JobNotFound, Refusal
from domain.identifiers import public_id, row_key
from domain.job import IdempotencyKey, Waiting
from domain.rows import FoldedRows, RowError, fold
from worker import nudges
from worker.store import copy_format
from worker.store.campaigns import find_campaign
from worker.store.connection import after_commit, transaction
from worker.store.finding import find
from worker.store.lookups import only_by_index
from worker.store.tables import Campaign, Job
from worker.store.trouble import is_store_trouble, reason_of, storable

_ROW_ERRORS = TypeAdapter(list[RowError])


@dataclass(frozen=True, slots=True)
class Request:
    """One bulk upsert, judged and folded, ready to be committed. Making it takes no transaction.

    `workspace`: the tenant whose key was presented; None at the doors of the queue, where it follows from the campaign.
    `import_number`: the import that this is a part of, if any.
    """

    campaign_id: str
    folded: FoldedRows
    rows: bytes
    row_errors: bytes
    key: IdempotencyKey | None = None
    workspace: int | None = None
    import_number: int | None = None

    @classmethod
    def of(
        cls,
        campaign_id: str,
        leads: Iterable[object],
        key: IdempotencyKey | None = None,
        workspace: int | None = None,
        import_number: int | None = None,
    ) -> Self:
        """Judge and fold the leads of a request."""
        folded = fold(leads)
        row_errors = _ROW_ERRORS.dump_json(folded.errors)
        rows = copy_format.encode(folded.leads)
        return cls(campaign_id, folded, rows, row_errors, key, workspace, import_number)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A committed job: from here on it cannot be lost. `replayed`: the key had brought it before."""

    job_number: int
    job_id: str
    campaign_number: int
    received: int
    errors: list[RowError]
    replayed: bool


# Two first uses of a key at once: the second insert waits for the first to commit, then does nothing.
_INSERT = text("""
INSERT INTO job (
    workspace_id, campaign_id, key_space, idempotency_key, fingerprint,
    rows, row_count, row_errors, duplicate_rows, received, duplicates, errors, import_id
) VALUES (
    :workspace, :campaign, :key_space, :key, :fingerprint,
    :rows, :row_count, CAST(:row_errors AS jsonb), :duplicate_rows, :received, :duplicates, :errors, :import
)
ON CONFLICT ON CONSTRAINT job_idempotency_key DO NOTHING
RETURNING id, created_at
""")

_OLDEST_ACCEPTED = text("""
SELECT id, row_count, attempts, suspect FROM job
WHERE campaign_id BETWEEN :campaign AND :campaign AND status = 'accepted'
ORDER BY campaign_id, id LIMIT :limit
""")

# Committed on a connection of its own before the work begins, so that it survives the death of the worker. It need
# not survive the death of PostgreSQL (which is no attempt), so it waits for no disk. Only a job that is taken alone is
# known to be what failed: of one among others an attempt says nothing, but that it is a suspect.
_COUNT_ATTEMPT = text("""
UPDATE job SET suspect = true, attempts = attempts + CASE WHEN :alone THEN 1 ELSE 0 END
WHERE id = ANY(:numbers) AND status = 'accepted'
""")
_TAKE_ATTEMPT_BACK = text("""
UPDATE job SET suspect = :alone, attempts = attempts - CASE WHEN :alone THEN 1 ELSE 0 END
WHERE id = ANY(:numbers) AND status = 'accepted'
""")
_NO_WAIT_FOR_DISK = text("SET LOCAL synchronous_commit = off")

_NOTE_FAILURE = text("UPDATE job SET last_error = :error WHERE id = ANY(:numbers) AND status = 'accepted'")

_BURY = text("""
UPDATE job SET status = 'dead', finished_at = statement_timestamp(),
    last_error = coalesce(last_error, 'its worker was killed each time: the job may need more memory than there is')
WHERE id = :number AND status = 'accepted'
""")

_ACCEPT_ANEW = text("""
INSERT INTO job (
    workspace_id, campaign_id, key_space, idempotency_key, fingerprint,
    rows, row_count, row_errors, duplicate_rows, received, duplicates, errors, import_id
)
SELECT
    workspace_id, campaign_id, 'retry', CAST(id AS text), fingerprint,
    rows, row_count, row_errors, duplicate_rows, received, duplicates, errors, import_id
FROM job WHERE id = :number
ON CONFLICT ON CONSTRAINT job_idempotency_key DO NOTHING
""")

# A dead job's rows stay: its retry needs them, whenever that is.
_FORGET_ROWS = text("""
UPDATE job SET rows = NULL, row_errors = NULL, duplicate_rows = NULL, outcomes = NULL
WHERE id IN (
    SELECT id FROM job
    WHERE rows IS NOT NULL AND status = 'applied' AND finished_at < now() - CAST(:retention AS interval)
    ORDER BY finished_at LIMIT 1000
)
""")


def accept(campaign_id: str, leads: Iterable[object], key: IdempotencyKey | None = None) -> Acceptance:
    """Take one bulk upsert, from whatever door: judged, folded, and committed as one job.

    The same key and the same request give the job there is; another request is refused.
    """
    return accept_request(Request.of(campaign_id, leads, key))


def accept_request(request: Request) -> Acceptance:
    """Commit one request as a job, or raise why it is refused."""
    with transaction() as session:
        return accept_within(session, request)


def accept_together(requests: Sequence[Request]) -> list[Acceptance | Refusal]:
    """Commit requests as one job each, in order, in one transaction; in the place of a refused one stands why.

    One commit, and so one wait for the disk, for all of them. A request that breaks the transaction breaks it for
    nobody else: each is then committed alone.
    """
    try:
        with transaction() as session:
            return [_accepted_or_refused(lambda r=request: accept_within(session, r)) for request in requests]
    except Exception as error:
        if is_store_trouble(error) or len(requests) == 1:
            raise
    return [_accepted_or_refused(lambda r=request: accept_request(r)) for request in requests]


def oldest_accepted(session: Session, campaign: int, limit: int) -> list[Waiting]:
    """List the accepted jobs of a campaign in the order in which they must be applied."""
    only_by_index(session)
    return [
        Waiting(*row) for row in session.connection().execute(_OLDEST_ACCEPTED, {"campaign": campaign, "limit": limit})
    ]


def count_attempt(numbers: Sequence[int]) -> None:
    """Commit, apart from the work, that these jobs are being tried."""
    _note_attempt(_COUNT_ATTEMPT, numbers)


def take_attempt_back(numbers: Sequence[int]) -> None:
    """Commit that an attempt that was counted was none."""
    _note_attempt(_TAKE_ATTEMPT_BACK, numbers)


def note_failure(numbers: Sequence[int], error: BaseException) -> None:
    """Keep why the jobs failed together; each is taken alone from now on."""
    reason = storable(reason_of(error))
    with transaction() as session:
        session.connection().execute(_NOTE_FAILURE, {"numbers": list(numbers), "error": reason})


def bury(session: Session, number: int) -> None:
    """Set a job aside as `dead`; the lane goes on with the next."""
    session.connection().execute(_BURY, {"number": number})


def retry(job_id: str, workspace: int | None = None) -> str:
    """Accept a dead job anew, at the end of its lane; give the id of the new job. Again: the same new job."""
    with transaction() as session:
        dead = find_job(session, job_id, workspace)
        if dead.status != "dead" or dead.rows is None:
            raise JobNotDead(job_id=job_id, status=dead.status)
        session.connection().execute(_ACCEPT_ANEW, {"number": dead.number})
        anew = session.exec(
            select(Job).where(
                col(Job.workspace_number) == dead.workspace_number,
                col(Job.key_space) == "retry",
                col(Job.idempotency_key) == str(dead.number),
            )
        ).one()
        campaign = session.get_one(Campaign, dead.campaign_number)
        after_commit(session, nudges.apply, campaign.public_id)
    return anew.public_id


def find_job(session: Session, job_id: str, workspace: int | None = None) -> Job:
    """Read a job by its public id; one of another workspace does not exist (None: all do)."""
    found = find(session, Job, row_key("job", job_id), workspace=workspace)
    if found is None:
        raise JobNotFound(job_id=job_id)
    return found


def forget_rows(session: Session, retention: timedelta) -> None:
    """Drop the rows of jobs finished longer ago than `retention`; their counts stay."""
    session.connection().execute(_FORGET_ROWS, {"retention": retention})


def _note_attempt(statement: TextClause, numbers: Sequence[int]) -> None:
    with transaction() as session:
        session.connection().execute(_NO_WAIT_FOR_DISK)
        session.connection().execute(statement, {"numbers": list(numbers), "alone": len(numbers) == 1})


def _accepted_or_refused(accept: Callable[[], Acceptance]) -> Acceptance | Refusal:
    try:
        return accept()
    except Refusal as refusal:
        return refusal


def accept_within(session: Session, request: Request) -> Acceptance:
    """Accept one request as part of the caller's transaction."""
    campaign = _campaign_of(session, request)
    row = _job_row(campaign, request)
    inserted = session.connection().execute(_INSERT, row).one_or_none()
    number, created_at = inserted or _replayed(session, row)
    after_commit(session, nudges.apply, campaign.public_id)
    return Acceptance(
        job_number=number,
        job_id=public_id("job", number, created_at),
        campaign_number=campaign.number,
        received=request.folded.received,
        errors=request.folded.errors,
        replayed=inserted is None,
    )


def _campaign_of(session: Session, request: Request) -> Campaign:
    """Read each campaign once a transaction: of 500 requests for one campaign it took two thirds of the time."""
    read: dict[tuple[str, int | None], Campaign] = session.info.setdefault("campaigns", {})
    which = (request.campaign_id, request.workspace)
    if which not in read:
        read[which] = find_campaign(session, *which)
    return read[which]


def _job_row(campaign: Campaign, request: Request) -> dict[str, Any]:
    folded = request.folded
    return {
        "workspace": campaign.workspace_number,
        "campaign": campaign.number,
        "key_space": request.key and request.key.space,
        "key": request.key and request.key.value,
        "fingerprint": _fingerprint(campaign, request),
        "rows": request.rows,
        "row_count": len(folded.leads),
        "row_errors": request.row_errors.decode(),
        "duplicate_rows": [number for pair in folded.duplicates for number in pair],
        "received": folded.received,
        "duplicates": len(folded.duplicates),
        "errors": len(folded.errors),
        "import": request.import_number,
    }


def _replayed(session: Session, row: dict[str, Any]) -> tuple[int, datetime]:
    first = session.exec(
        select(Job.number, Job.created_at, Job.fingerprint).where(
            col(Job.workspace_number) == row["workspace"],
            col(Job.key_space) == row["key_space"],
            col(Job.idempotency_key) == row["key"],
        )
    ).one()
    number, created_at, fingerprint = first
    if fingerprint != row["fingerprint"]:
        raise IdempotencyKeyReused
    return number, created_at


def _fingerprint(campaign: Campaign, request: Request) -> bytes:
    """Tell requests apart by what they ask for, so that the same leads are the same through any door."""
    asked = [
        b"%d %d" % (campaign.number, request.folded.received),
        repr(request.folded.duplicates).encode(),
        request.row_errors,
        request.rows,
    ]
    return hashlib.sha256(b"\0".join(asked)).digest()
