"""The merge of `domain.merge`, set-based: one statement from the stored bytes of jobs into `lead`.

Only ever called under the campaign's lane: nobody else writes its leads, so what the statement read is what it
changes, and the counts are exact.
"""

from collections.abc import Sequence
from time import monotonic
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from domain.job import segments
from worker.identity import process_name
from worker.store import stages
from worker.store.applied import Applied
from worker.store.lookups import only_by_index
from worker.store.row_format import Gives


def _text(column: str) -> str:
    """Give the SQL that reads a text back; most hold nothing that was escaped."""
    return (
        rf"CASE WHEN strpos({column}, '\') > 0"
        rf" THEN replace(replace(replace({column}, '\t', E'\t'), '\n', E'\n'), '\s', '\') ELSE {column} END"
        f' COLLATE "C" AS {column}'
    )


# The rows of jobs as `row_format` wrote them; behind the last tab of a line stands none. COLLATE, or the join could not
# use the index of `lead`. OFFSET 0 keeps the planner from taking the lines apart anew for each row. unnest() in SELECT,
# not in FROM, where each column would be kept and read once more: 0.5 µs a row.
_INCOMING = rf"""
    SELECT
        job, position, email COLLATE "C" AS email, CAST(given AS smallint) AS given,
        {_text("first_name")}, {_text("company")}, {_text("job_title")},
        CAST(custom_variables AS jsonb) AS custom_variables
    FROM (
        SELECT
            place AS job, generate_series(1, row_count) AS position,
            unnest(string_to_array(line[1], E'\t')) AS email,
            unnest(string_to_array(line[2], E'\t')) AS given,
            unnest(string_to_array(line[3], E'\t', '\N')) AS first_name,
            unnest(string_to_array(line[4], E'\t', '\N')) AS company,
            unnest(string_to_array(line[5], E'\t', '\N')) AS job_title,
            unnest(string_to_array(replace(line[6], '\s', '\'), E'\t')) AS custom_variables
        FROM (
            SELECT batch.place, job.row_count, string_to_array(convert_from(job.rows, 'UTF8'), E'\n') AS line
            FROM unnest(CAST(:numbers AS bigint[])) WITH ORDINALITY AS batch (id, place)
            JOIN job ON job.id = ANY (ARRAY[batch.id])
            WHERE batch.place BETWEEN :first AND :last
            OFFSET 0
        ) AS written
    ) AS row
    WHERE email <> ''
"""  # noqa: S608  # put together from constants

# For each job the latest earlier job of the batch that has an email in common with it.
_EARLIER_JOBS = text(f"""
WITH incoming AS ({_INCOMING})
SELECT job, max(earlier)
FROM (SELECT job, lag(job) OVER (PARTITION BY email ORDER BY job) AS earlier FROM incoming) AS seen
WHERE earlier IS NOT NULL
GROUP BY job
""")  # noqa: S608  # put together from constants

# Nothing is done where jobs have an email in common: to know that beforehand would take a statement of its own.
# ORDER BY email: leads that are looked up and inserted one after another are neighbours in the index of emails, where
# they were strewn over all of it. New leads take 20 µs instead of 23, changed ones 35 instead of 40. So leads that come
# in one transaction are numbered in the order of their emails; to keep that of their rows would cost half the gain.
# OFFSET 0 keeps the planner from writing the expressions of `read` into `merged` a second time: values would be merged
# twice for each lead that is stored (an unchanged one took 13 % longer).
_MERGE = text(f"""
WITH incoming AS MATERIALIZED ({_INCOMING} ORDER BY email), common AS MATERIALIZED (
    SELECT FROM incoming GROUP BY email HAVING count(*) > 1 LIMIT 1
), read AS (
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
    WHERE NOT EXISTS (SELECT FROM common)
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
    FROM merged WHERE outcome = 'c'
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
    FROM (
        SELECT job, position, outcome, status FROM merged
        UNION ALL
        SELECT place, NULL, NULL, 'stopped' FROM generate_series(CAST(:first AS bigint), :last) AS place
    ) AS merged_or_empty GROUP BY job
), progress AS (
    INSERT INTO campaign_minute AS so_far (campaign_id, minute, enrolled)
    SELECT :campaign, date_trunc('minute', statement_timestamp()), sum(created) FROM counted HAVING sum(created) > 0
    ON CONFLICT (campaign_id, minute) DO UPDATE SET enrolled = so_far.enrolled + excluded.enrolled
)
UPDATE job SET
    status = 'applied', finished_at = statement_timestamp(), last_error = NULL, attempts = greatest(attempts, 1),
    taken_at = statement_timestamp() - :elapsed * interval '1 second', applied_by = :process,
    created = counted.created, updated = counted.updated, unchanged = counted.unchanged, enrolled = counted.enrolled,
    outcomes = coalesce(counted.outcomes, '')
FROM counted
WHERE job.id = ANY (ARRAY[(CAST(:numbers AS bigint[]))[counted.job]]) AND NOT EXISTS (SELECT FROM common)
RETURNING
    job.created_at, job.trace, CAST(extract(epoch FROM job.taken_at - job.created_at) AS double precision) AS waited,
    ARRAY[
        job.created, job.updated - job.unchanged, job.unchanged, job.duplicates, job.skipped, job.errors
    ] AS row_counts
""")  # noqa: S608  # only the names of bits are put in


# A statement each, of 4 ms: of 500 jobs for one lead all would hold the lane for 2 s.
_MOST_SEGMENTS = 16


def apply_jobs(session: Session, campaign: int, numbers: Sequence[int]) -> Applied:
    """Merge the accepted jobs `numbers`, oldest first, and mark them `applied` with their exact counts.

    Not all of them, where many speak of the same lead one after another: the first so many.
    """
    began = monotonic()
    only_by_index(session)
    applied = _merge(session, campaign, numbers, range(1, len(numbers) + 1), began)
    if not applied:
        for segment in _segments(session, numbers)[:_MOST_SEGMENTS]:
            applied += _merge(session, campaign, numbers, segment, began)
    stages.add_up_jobs(session, numbers[: len(applied)], "done")
    return Applied.of(applied)


def _merge(session: Session, campaign: int, numbers: Sequence[int], places: range, began: float) -> list[Any]:
    which = {"campaign": campaign, "numbers": list(numbers), "first": places[0], "last": places[-1]}
    by_whom = {"elapsed": monotonic() - began, "process": process_name()}
    return list(session.connection().execute(_MERGE, {**which, **by_whom}))


def _segments(session: Session, numbers: Sequence[int]) -> list[range]:
    which = {"numbers": list(numbers), "first": 1, "last": len(numbers)}
    earlier = dict(session.connection().execute(_EARLIER_JOBS, which).all())
    return segments(len(numbers), earlier)
