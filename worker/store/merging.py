"""The merge of `domain.merge`, set-based: stored bytes into a temporary table, one statement into `lead`.

Only ever called under the campaign's lane: nobody else writes its leads, so what the statement read is what it
changes, and the counts are exact.
"""

from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Any

from psycopg import sql
from sqlalchemy import text
from sqlmodel import Session

from domain.job import segments
from worker.identity import process_name
from worker.store import copy_format, stages
from worker.store.applied import Applied
from worker.store.connection import psycopg_connection
from worker.store.copy_format import Gives
from worker.store.lookups import only_by_index

_INCOMING = text(
    'CREATE TEMPORARY TABLE incoming (job integer, position integer, email text COLLATE "C", given smallint,'
    ' first_name text COLLATE "C", company text COLLATE "C", job_title text COLLATE "C", custom_variables jsonb)'
    " ON COMMIT DROP"
)

_COPY = sql.SQL("COPY incoming ({}) FROM STDIN").format(
    sql.SQL(", ").join(map(sql.Identifier, ("job", *copy_format.COLUMNS)))
)

_STORED_ROWS = "SELECT rows FROM job WHERE id = ANY(%s) ORDER BY id"

# For each job the latest earlier job of the batch that has an email in common with it.
_EARLIER_JOBS = text("""
SELECT job, max(earlier)
FROM (SELECT job, lag(job) OVER (PARTITION BY email ORDER BY job) AS earlier FROM incoming) AS seen
WHERE earlier IS NOT NULL
GROUP BY job
""")

# OFFSET 0 keeps the planner from writing the expressions of `read` into `merged` a second time: values would be merged
# twice for each lead that is stored (an unchanged one took 13 % longer).
_MERGE = text(f"""
WITH read AS (
    SELECT
        i.job, i.position, i.email, l.id, l.status,
        CASE WHEN i.given & {Gives.FIRST_NAME} <> 0 THEN i.first_name ELSE l.first_name END AS first_name,
        CASE WHEN i.given & {Gives.COMPANY} <> 0 THEN i.company ELSE l.company END AS company,
        CASE WHEN i.given & {Gives.JOB_TITLE} <> 0 THEN i.job_title ELSE l.job_title END AS job_title,
        CASE
            WHEN i.given & {Gives.VARIABLES} = 0 THEN coalesce(l.custom_variables, '{{}}')
            WHEN i.given & {Gives.CLEARED_VARIABLES} = 0
                THEN coalesce(l.custom_variables || i.custom_variables, i.custom_variables)
            ELSE jsonb_strip_nulls(coalesce(l.custom_variables || i.custom_variables, i.custom_variables))
        END AS custom_variables,
        l.first_name AS old_first_name, l.company AS old_company, l.job_title AS old_job_title,
        l.custom_variables AS old_custom_variables
    FROM incoming AS i
    LEFT JOIN LATERAL (
        SELECT * FROM lead WHERE lead.campaign_id = :campaign AND lead.email = i.email OFFSET 0
    ) AS l ON true
    WHERE i.job BETWEEN :first AND :last
    OFFSET 0
), merged AS MATERIALIZED (
    SELECT
        job, position, email, id, status, first_name, company, job_title, custom_variables,
        CASE
            WHEN id IS NULL THEN 'c'
            WHEN first_name IS DISTINCT FROM old_first_name OR company IS DISTINCT FROM old_company
                OR job_title IS DISTINCT FROM old_job_title OR custom_variables <> old_custom_variables THEN 'u'
            ELSE 'n'
        END AS outcome
    FROM read
), creation AS (
    INSERT INTO lead (campaign_id, email, first_name, company, job_title, custom_variables)
    SELECT :campaign, email, first_name, company, job_title, custom_variables
    FROM merged WHERE outcome = 'c' ORDER BY job, position
), change AS (
    UPDATE lead SET
        first_name = merged.first_name, company = merged.company, job_title = merged.job_title,
        custom_variables = merged.custom_variables, updated_at = now()
    FROM merged WHERE lead.id = ANY (ARRAY[merged.id]) AND merged.outcome = 'u'
), counted AS (
    SELECT
        job,
        count(*) FILTER (WHERE outcome = 'c') AS created,
        count(*) FILTER (WHERE outcome <> 'c') AS updated,
        count(*) FILTER (WHERE outcome = 'n') AS unchanged,
        count(*) FILTER (WHERE status IS DISTINCT FROM 'stopped') AS enrolled,
        string_agg(outcome, '' ORDER BY position) AS outcomes
    FROM merged GROUP BY job
)
UPDATE job SET
    status = 'applied', finished_at = statement_timestamp(), last_error = NULL, attempts = greatest(attempts, 1),
    taken_at = statement_timestamp() - :elapsed * interval '1 second', applied_by = :process,
    created = coalesce(counted.created, 0), updated = coalesce(counted.updated, 0),
    unchanged = coalesce(counted.unchanged, 0), enrolled = coalesce(counted.enrolled, 0),
    outcomes = coalesce(counted.outcomes, '')
FROM unnest(CAST(:numbers AS bigint[])) WITH ORDINALITY AS batch (id, place)
LEFT JOIN counted ON counted.job = batch.place
WHERE job.id = batch.id AND batch.place BETWEEN :first AND :last
RETURNING
    job.created_at, job.trace, CAST(extract(epoch FROM job.taken_at - job.created_at) AS double precision) AS waited,
    ARRAY[
        job.created, job.updated - job.unchanged, job.unchanged, job.duplicates, job.skipped, job.errors
    ] AS row_counts
""")  # noqa: S608  # only the names of bits are put in


def apply_jobs(session: Session, campaign: int, numbers: Sequence[int]) -> Applied:
    """Merge the accepted jobs `numbers`, oldest first, and mark them `applied` with their exact counts."""
    began = monotonic()
    only_by_index(session)
    session.connection().execute(_INCOMING)
    _copy(session, _job_bytes(session, numbers))
    applied: list[Any] = []
    for segment in _segments(session, len(numbers)):
        which = {"campaign": campaign, "numbers": list(numbers), "first": segment[0], "last": segment[-1]}
        by_whom = {"elapsed": monotonic() - began, "process": process_name()}
        applied += session.connection().execute(_MERGE, {**which, **by_whom})
    stages.add_up_jobs(session, numbers, "done")
    return Applied.of(applied)


def _job_bytes(session: Session, numbers: Sequence[int]) -> Iterable[bytes]:
    # In binary: as text each byte would travel as two hexadecimal digits.
    with psycopg_connection(session).cursor(binary=True) as cursor:
        stored = cursor.execute(_STORED_ROWS, [list(numbers)]).fetchall()
    return (copy_format.of_job(rows, place) for place, (rows,) in enumerate(stored, start=1))


def _copy(session: Session, parts: Iterable[bytes]) -> None:
    with psycopg_connection(session).cursor() as cursor, cursor.copy(_COPY) as copy:
        for part in parts:
            copy.write(part)


def _segments(session: Session, jobs: int) -> list[range]:
    if jobs == 1:
        return [range(1, 2)]
    earlier = {job: latest for job, latest in session.connection().execute(_EARLIER_JOBS)}  # noqa: C416  # rows, not pairs
    return segments(jobs, earlier)
