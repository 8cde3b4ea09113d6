"""The store held against the pure rule: each accepted request applied once, in the order of the ledger."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.merge import apply_all, same
from domain.rows import fold
from support.database import sql, stored_leads
from worker.store.tables import Campaign

_JOBS = """
SELECT key_space || ':' || idempotency_key, status,
    received, created, updated, unchanged, enrolled, duplicates, skipped, errors, outcomes
FROM job WHERE campaign_id = :campaign ORDER BY id
"""
_LETTERS = {"created": "c", "updated": "u", "unchanged": "n"}


def assert_store_is_the_rule_applied_to_the_ledger(campaign: Campaign, requests: Mapping[str, Sequence[Any]]) -> None:
    """`requests`: what was sent under which key; every one is in the ledger once, and nothing else is."""
    jobs = [tuple(job) for job in sql(_JOBS, campaign=campaign.number)]
    assert sorted(job[0] for job in jobs) == sorted(requests), "each request is one job"
    folded = [fold(requests[key]) for key, *_ in jobs]
    expected, outcomes = apply_all(rows.leads for rows in folded)
    assert [job[1:] for job in jobs] == [
        (
            "applied",
            rows.received,
            of_job.count("created"),
            len(of_job) - of_job.count("created"),
            of_job.count("unchanged"),
            len(of_job),
            len(rows.duplicates),
            0,
            len(rows.errors),
            "".join(_LETTERS[outcome] for outcome in of_job),
        )
        for rows, of_job in zip(folded, outcomes, strict=True)
    ]
    stored = stored_leads(campaign.number)
    assert stored.keys() == expected.keys()
    unequal = {email: (stored[email], lead) for email, lead in expected.items() if not same(stored[email], lead)}
    assert unequal == {}
