"""Failures grouped by kind, and the exact rows that a group stands for."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import TextClause, text
from sqlmodel import Session

from domain.failure import Kind, kind_of
from domain.identifiers import public_id
from domain.stage import Stage
from worker.reports.ops.snapshot import one, rows

SCANNED = 5_000
"""How many failures of each sort are looked at, the newest first; the page says so."""

Sort = Literal["deadJobs", "failingJobs", "failedSends", "unknownSends", "retryingSends"]
STAGE_OF: dict[Sort, Stage] = {
    "deadJobs": "apply",
    "failingJobs": "apply",
    "failedSends": "deliver",
    "unknownSends": "deliver",
    "retryingSends": "deliver",
}

NOT_RETRIED = """NOT EXISTS (
    SELECT FROM job AS anew
    WHERE anew.workspace_id = job.workspace_id AND anew.key_space = 'retry'
        AND anew.idempotency_key = CAST(job.id AS text)
)"""
"""Of dead jobs: whoever retried it has dealt with it."""

# The newest of each sort, so many messages as differ. A job that fails lies at the head of its lane.
_DEAD_JOBS = f"""
SELECT job.id, job.created_at, job.last_error, job.campaign_id, job.finished_at AS at FROM job
WHERE status = 'dead' AND {NOT_RETRIED} AND (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace)
ORDER BY id DESC LIMIT :scanned
"""  # noqa: S608  # our own text
_FAILING_JOBS = """
SELECT job.id, job.created_at, job.last_error, job.campaign_id, job.created_at AS at FROM job
WHERE status = 'accepted' AND last_error IS NOT NULL
    AND (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace)
ORDER BY id DESC LIMIT :scanned
"""
_SENDS = """
SELECT send.id, send.created_at, send.last_error, send.campaign_id, {at} AS at
FROM send WHERE {which} AND (CAST(:workspace AS bigint) IS NULL
    OR EXISTS (SELECT FROM campaign WHERE campaign.id = send.campaign_id AND workspace_id = :workspace))
ORDER BY send.id DESC LIMIT :scanned
"""
_SENDS_OF_CAMPAIGN = """
SELECT send.id, send.created_at, send.last_error, send.campaign_id, {at} AS at
FROM send WHERE {which} AND send.campaign_id BETWEEN :campaign AND :campaign
ORDER BY send.campaign_id DESC, send.id DESC LIMIT :scanned
"""
# A send that backs off failed when it was put back: so long ago as `domain.send` lets it wait, about.
_WHICH_SENDS: dict[Sort, dict[str, str]] = {
    "failedSends": {"which": "send.status = 'failed'", "at": "send.finished_at"},
    "unknownSends": {"which": "send.status = 'unknown'", "at": "send.held_until"},
    "retryingSends": {
        "which": "send.status = 'queued' AND send.last_error IS NOT NULL",
        "at": "least(send.held_until - least(5 * 2 ^ least(attempts, 10), 600) * interval '1 second', now())",
    },
}
_SOURCES: dict[Sort, str] = {
    "deadJobs": _DEAD_JOBS,
    "failingJobs": _FAILING_JOBS,
    **{sort: _SENDS.format(**which) for sort, which in _WHICH_SENDS.items()},
}
_OF_CAMPAIGN: dict[Sort, str] = {sort: _SENDS_OF_CAMPAIGN.format(**which) for sort, which in _WHICH_SENDS.items()}
_GROUPED = """
SELECT '{sort}' AS sort, last_error, count(*) AS failures, min(at) AS first, max(at) AS last,
    array_agg(DISTINCT campaign_id) AS campaigns, (array_agg(id ORDER BY id DESC))[1] AS example,
    (array_agg(created_at ORDER BY id DESC))[1] AS example_created_at
FROM ({source}) AS newest GROUP BY last_error
"""


def _grouped(sources: Mapping[Sort, str]) -> TextClause:
    return text(" UNION ALL ".join(_GROUPED.format(sort=sort, source=source) for sort, source in sources.items()))


def _messages(sources: Mapping[Sort, str]) -> dict[Sort, TextClause]:
    distinct = "SELECT DISTINCT last_error FROM ({source}) AS newest"
    return {sort: text(distinct.format(source=source)) for sort, source in sources.items()}


_ALL, _ALL_OF_CAMPAIGN = _grouped(_SOURCES), _grouped(_OF_CAMPAIGN)
_MESSAGES, _MESSAGES_OF_CAMPAIGN = _messages(_SOURCES), _messages(_OF_CAMPAIGN)

_COUNTS = text(f"""
SELECT
    (SELECT count(*) FROM (SELECT FROM job WHERE status = 'dead' AND {NOT_RETRIED}
        AND (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace) LIMIT :bound) AS dead) AS dead,
    (SELECT count(*) FROM (SELECT finished_at FROM job WHERE status = 'dead' AND {NOT_RETRIED}
        AND (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace) ORDER BY id DESC LIMIT 1000) AS dead
        WHERE finished_at > now() - interval '1 hour') AS died_lately,
    (SELECT count(*) FROM (SELECT FROM send JOIN campaign ON campaign.id = send.campaign_id
        WHERE send.status = 'unknown'
        AND (CAST(:workspace AS bigint) IS NULL OR workspace_id = :workspace) LIMIT :bound) AS lost) AS unknown
""")  # noqa: S608  # our own text


@dataclass(frozen=True, slots=True)
class Counts:
    """What needs a person."""

    dead: int
    died_lately: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Group:
    """Failures of one kind and sort. `example`: the newest of them."""

    sort: Sort
    kind: Kind
    failures: int
    first: datetime
    last: datetime
    campaigns: int
    example: str


def counts(session: Session, workspace: int | None, bound: int) -> Counts:
    """Count what needs a person."""
    found = one(session, _COUNTS, workspace=workspace, bound=bound)
    return Counts(found.dead, found.died_lately, found.unknown)


def groups(session: Session, workspace: int | None) -> list[Group]:
    """Group the newest failures, the latest group first."""
    return _by_kind(rows(session, _ALL, workspace=workspace, scanned=SCANNED))


def groups_of_sends(session: Session, campaign: int) -> list[Group]:
    """Group the newest sends of a campaign that failed, are unknown or are tried again, the latest group first."""
    return _by_kind(rows(session, _ALL_OF_CAMPAIGN, campaign=campaign, scanned=SCANNED))


def _by_kind(failures: Iterable[Any]) -> list[Group]:
    by_kind: dict[tuple[Sort, Kind], list[Any]] = defaultdict(list)
    for row in failures:
        by_kind[row.sort, kind_of(STAGE_OF[row.sort], row.last_error)].append(row)
    found = [_group(sort, kind, of_kind) for (sort, kind), of_kind in by_kind.items()]
    return sorted(found, key=lambda group: group.last, reverse=True)


def messages_of(
    session: Session, sort: Sort, kind_id: str, workspace: int | None, campaign: int | None = None
) -> list[str | None]:
    """Give the very messages that a kind stands for, among all sends or those of a campaign."""
    if campaign is not None and sort in _MESSAGES_OF_CAMPAIGN:
        found = rows(session, _MESSAGES_OF_CAMPAIGN[sort], campaign=campaign, scanned=SCANNED)
    else:
        found = rows(session, _MESSAGES[sort], workspace=workspace, scanned=SCANNED)
    return [error for (error,) in found if kind_of(STAGE_OF[sort], error).id == kind_id]


def _group(sort: Sort, kind: Kind, alike: Sequence[Any]) -> Group:
    newest = max(alike, key=lambda row: row.example)
    return Group(
        sort=sort,
        kind=kind,
        failures=sum(row.failures for row in alike),
        first=min(row.first for row in alike),
        last=max(row.last for row in alike),
        campaigns=len({campaign for row in alike for campaign in row.campaigns}),
        example=public_id("job" if STAGE_OF[sort] == "apply" else "send", newest.example, newest.example_created_at),
    )
