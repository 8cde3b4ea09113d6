"""The ledger of jobs: accepted once, applied in order, dead with a reason, never lost."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlmodel import Session, col, select

from domain.errors import CampaignNotFound, IdempotencyKeyReused, JobNotDead, JobNotFound, Refusal
from domain.identifiers import public_id, row_key
from domain.job import IdempotencyKey, Waiting
from domain.rows import RowError
from worker import nudges
from worker.observability import record
from worker.store.connection import after_commit, transaction
from worker.store.finding import find
from worker.store.lookups import only_by_index
from worker.store.request import Request
from worker.store.tables import Campaign, Job
from worker.store.trouble import is_store_trouble, is_wait_for_others

_TO_ARRAY = str.maketrans("[]", "{}")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A committed job: from here on it cannot be lost. `replayed`: the key had brought it before."""

    job_number: int
    job_id: str
    campaign_number: int
    received: int
    errors: list[RowError]
    replayed: bool


# All requests of a transaction in one statement, because a round trip each would keep all of them waiting. Each gets
# its number when it is inserted, after those before it: two first uses of a key at once, and the second insert waits
# for the first to commit, then does nothing. `%b` sends bytes as they are: as text each would be two digits.
_INSERT = """
WITH asked AS (
    SELECT * FROM unnest(
        %(campaign)s::bigint[], %(campaign_created_at)s::timestamptz[], %(workspace)s::bigint[],
        %(key_space)s::text[], %(key)s::text[], %(fingerprint)b::bytea[], %(rows)b::bytea[], %(row_count)s::integer[],
        %(row_errors)s::text[], %(duplicate_rows)s::text[], %(received)s::integer[], %(duplicates)s::integer[],
        %(errors)s::integer[], %(import)s::bigint[], %(trace)s::text[]
    ) WITH ORDINALITY AS asked (
        campaign_id, campaign_created_at, workspace_id, key_space, key, fingerprint, rows, row_count,
        row_errors, duplicate_rows, received, duplicates, errors, import_id, trace, place
    )
), permitted AS (
    SELECT asked.*, campaign.workspace_id AS owner
    FROM asked JOIN campaign ON campaign.id = ANY (ARRAY[asked.campaign_id])
        AND date_trunc('milliseconds', campaign.created_at) = asked.campaign_created_at
        AND campaign.workspace_id = coalesce(asked.workspace_id, campaign.workspace_id)
    ORDER BY asked.place
), accepted AS (
    INSERT INTO job (
        workspace_id, campaign_id, key_space, idempotency_key, fingerprint,
        rows, row_count, row_errors, duplicate_rows, received, duplicates, errors, import_id, trace
    )
    SELECT
        owner, campaign_id, key_space, key, fingerprint,
        rows, row_count, row_errors::jsonb, duplicate_rows::integer[], received, duplicates, errors, import_id, trace
    FROM permitted ORDER BY place
    ON CONFLICT ON CONSTRAINT job_idempotency_key DO NOTHING
    RETURNING id, created_at, workspace_id, key_space, idempotency_key
)
SELECT place, owner, key_space, key, NULL AS id, NULL AS created_at FROM permitted
UNION ALL
SELECT NULL, workspace_id, key_space, idempotency_key, id, created_at FROM accepted
"""

_OLDEST_ACCEPTED = text("""
SELECT id, row_count, coalesce(octet_length(rows), 0), attempts, suspect FROM job
WHERE campaign_id BETWEEN :campaign AND :campaign AND status = 'accepted'
    AND NOT EXISTS (SELECT FROM stage_pause WHERE stage = 'apply')
ORDER BY campaign_id, id LIMIT :limit
""")

_ACCEPT_ANEW = text("""
INSERT INTO job (
    workspace_id, campaign_id, key_space, idempotency_key, fingerprint,
    rows, row_count, row_errors, duplicate_rows, received, duplicates, errors, import_id, trace
)
SELECT
    workspace_id, campaign_id, 'retry', CAST(id AS text), fingerprint,
    rows, row_count, row_errors, duplicate_rows, received, duplicates, errors, import_id, trace
FROM job WHERE id = :number
ON CONFLICT ON CONSTRAINT job_idempotency_key DO NOTHING
""")

# A dead job's rows stay, its attempts too: its retry needs the ones, and who decides on it the others.
_FORGET_ROWS = text("""
WITH old AS MATERIALIZED (
    SELECT id FROM job
    WHERE rows IS NOT NULL AND status = 'applied' AND finished_at < now() - CAST(:retention AS interval)
    ORDER BY finished_at LIMIT 1000
), attempts AS (
    DELETE FROM job_attempt WHERE job_id = ANY (ARRAY(SELECT id FROM old))
)
UPDATE job SET rows = NULL, row_errors = NULL, duplicate_rows = NULL, outcomes = NULL
WHERE id = ANY (ARRAY(SELECT id FROM old))
""")


def accept(campaign_id: str, leads: Iterable[object], key: IdempotencyKey | None = None) -> Acceptance:
    """Take one bulk upsert, from whatever door: judged, folded, and committed as one job.

    The same key and the same request give the job there is; another request is refused.
    """
    return accept_request(Request.of(campaign_id, leads, key))


def accept_request(request: Request) -> Acceptance:
    """Commit one request as a job, or raise why it is refused."""
    with transaction() as session:
        return accept_within(session, [request])[0]


def accept_together(requests: Sequence[Request]) -> list[Acceptance | Exception]:
    """Commit requests as one job each, in order, in one transaction; in the place of one that is no job stands why.

    One commit, and so one wait for the disk, for all of them. A request that breaks the transaction, or waits in it for
    a key that somebody else holds, breaks it for nobody else: each is then committed alone. Trouble with the store is
    raised.
    """
    if not requests:
        return []
    try:
        with transaction() as session:
            return [*_accept_all(session, requests)]
    except Exception as error:
        if is_store_trouble(error) and not is_wait_for_others(error):
            raise
        if len(requests) == 1:
            return [error]
    return [_accepted_or_why(request) for request in requests]


def accept_within(session: Session, requests: Sequence[Request]) -> list[Acceptance]:
    """Accept requests as part of the caller's transaction, or raise why one is refused."""
    accepted: list[Acceptance] = []
    for outcome in _accept_all(session, requests) if requests else ():
        if isinstance(outcome, Refusal):
            raise outcome
        accepted.append(outcome)
    return accepted


def oldest_accepted(session: Session, campaign: int, limit: int) -> list[Waiting]:
    """List the accepted jobs of a campaign in the order in which they must be applied."""
    only_by_index(session)
    return [
        Waiting(*row) for row in session.connection().execute(_OLDEST_ACCEPTED, {"campaign": campaign, "limit": limit})
    ]


def retry(job_id: str, workspace: int | None = None) -> str:
    """Accept a dead job anew, at the end of its lane; give the id of the new job. Again: the same new job."""
    with transaction() as session:
        return retry_within(session, job_id, workspace)


def retry_within(session: Session, job_id: str, workspace: int | None = None) -> str:
    """Accept a dead job anew as part of the caller's transaction."""
    dead = find_job(session, job_id, workspace)
    if dead.status != "dead" or dead.rows is None:
        raise JobNotDead(job_id=job_id, status=dead.status)
    anew_or_again = session.connection().execute(_ACCEPT_ANEW, {"number": dead.number}).rowcount
    after_commit(session, record.accepted, monotonic(), anew_or_again, 1 - anew_or_again)
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
    """Drop the rows of jobs finished longer ago than `retention`, and their failed attempts; their counts stay."""
    session.connection().execute(_FORGET_ROWS, {"retention": retention})


def _accept_all(session: Session, requests: Sequence[Request]) -> list[Acceptance | Refusal]:
    began = monotonic()
    inserted = _insert(session, [_job_row(request) for request in requests])
    outcomes = [_outcome(session, request, inserted.get(place)) for place, request in enumerate(requests, start=1)]
    replayed = [outcome.replayed for outcome in outcomes if isinstance(outcome, Acceptance)]
    after_commit(session, record.accepted, began, replayed.count(False), replayed.count(True))
    return outcomes


class _Inserted(NamedTuple):
    """What the insert says of a request for a campaign there is; no number: its key is not new."""

    workspace: int
    number: int | None
    created_at: datetime | None


def _insert(session: Session, rows: Sequence[Mapping[str, Any]]) -> dict[int, _Inserted]:
    columns = {column: [row[column] for row in rows] for column in rows[0]}
    told = session.connection().exec_driver_sql(_INSERT, columns).all()
    permitted = sorted(row for row in told if row.place is not None)
    new: dict[Any, deque[Any]] = defaultdict(deque)
    for row in sorted((row for row in told if row.place is None), key=lambda row: row.id):
        new[row.owner, row.key_space, row.key].append((row.id, row.created_at))
    # Those without a key are in the order of their places; of those with the same key only the first can be new.
    return {
        place: _Inserted(owner, *(new[(owner, *key)].popleft() if new[(owner, *key)] else (None, None)))
        for place, owner, *key, _, _ in permitted
    }


def _accepted_or_why(request: Request) -> Acceptance | Exception:
    try:
        return accept_request(request)
    except Exception as error:  # noqa: BLE001  # whoever asked is told; its neighbours are not held up
        return error


def _first_with_the_key_of(session: Session, request: Request, workspace: int) -> Any:
    key = request.key or IdempotencyKey("user", "")
    return session.exec(
        select(Job.number, Job.created_at, Job.fingerprint).where(
            col(Job.workspace_number) == workspace,
            col(Job.key_space) == key.space,
            col(Job.idempotency_key) == key.value,
        )
    ).one()


def _outcome(session: Session, request: Request, inserted: _Inserted | None) -> Acceptance | Refusal:
    if inserted is None:
        return CampaignNotFound(campaign_id=request.campaign_id)
    if inserted.number is not None and inserted.created_at is not None:
        return _acceptance(session, request, inserted.number, inserted.created_at, replayed=False)
    first = _first_with_the_key_of(session, request, inserted.workspace)
    if first.fingerprint != request.fingerprint:
        return IdempotencyKeyReused()
    return _acceptance(session, request, first.number, first.created_at, replayed=True)


def _acceptance(session: Session, request: Request, number: int, created_at: datetime, *, replayed: bool) -> Acceptance:
    campaign = request.campaign
    after_commit(session, nudges.apply, public_id("camp", campaign.number, campaign.created_at))
    return Acceptance(
        job_number=number,
        job_id=public_id("job", number, created_at),
        campaign_number=campaign.number,
        received=request.folded.received,
        errors=request.folded.errors,
        replayed=replayed,
    )


def _job_row(request: Request) -> dict[str, Any]:
    folded = request.folded
    return {
        "campaign": request.campaign.number,
        "campaign_created_at": request.campaign.created_at,
        "workspace": request.workspace,
        "key_space": request.key and request.key.space,
        "key": request.key and request.key.value,
        "fingerprint": request.fingerprint,
        "rows": request.rows,
        "row_count": len(folded.leads),
        "row_errors": request.row_errors.decode(),
        "duplicate_rows": str([number for pair in folded.duplicates for number in pair]).translate(_TO_ARRAY),
        "received": folded.received,
        "duplicates": len(folded.duplicates),
        "errors": len(folded.errors),
        "import": request.import_number,
        "trace": request.trace,
    }
