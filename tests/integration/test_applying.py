"""The merge in SQL is the merge rule of the domain, and writes nothing else."""

import random
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from support.database import job_statuses, sql, stored_leads
from support.ledger_check import assert_store_is_the_rule_applied_to_the_ledger
from support.requests import EMAILS, STANDARD_VALUES, VALUES, VARIABLES, some_leads

from domain.job import IdempotencyKey
from worker.enrolling import take_turn
from worker.store import ledger, merging
from worker.store.tables import Campaign

NewCampaign = Callable[..., Campaign]

leads = st.fixed_dictionaries(
    {"email": st.sampled_from(EMAILS[:4])},
    optional={
        **{field: st.sampled_from(STANDARD_VALUES) for field in ("firstName", "company", "jobTitle")},
        **{name: st.sampled_from(VALUES) for name in VARIABLES},
    },
)
requests = st.lists(st.lists(leads, min_size=1, max_size=5), min_size=1, max_size=6)


def accept_all(campaign: Campaign, bodies: Sequence[list[Any]]) -> dict[str, list[Any]]:
    """Accept each as a job; give them by their keys."""
    requests = {str(uuid4()): body for body in bodies}
    for key, body in requests.items():
        ledger.accept(campaign.public_id, body, IdempotencyKey("user", key))
    return {f"user:{key}": body for key, body in requests.items()}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=requests)
def test_the_sql_merge_equals_the_merge_rule(new_campaign: NewCampaign, bodies: list[list[Any]]) -> None:
    campaign = new_campaign()

    requests = accept_all(campaign, bodies)
    take_turn(campaign.number)

    assert_store_is_the_rule_applied_to_the_ledger(campaign, requests)


def test_jobs_applied_together_count_as_if_applied_one_after_another(new_campaign: NewCampaign) -> None:
    chance = random.Random(7)
    bodies = [some_leads(chance) for _ in range(150)]
    campaign = new_campaign()

    requests = accept_all(campaign, bodies)
    take_turn(campaign.number)

    assert_store_is_the_rule_applied_to_the_ledger(campaign, requests)


def test_a_merge_that_takes_every_job_at_once_is_found_out(
    new_campaign: NewCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broken twin: jobs of a batch that share an email are not told apart."""
    chance = random.Random(7)
    bodies = [[{"email": email} for email in EMAILS], *(some_leads(chance) for _ in range(20))]
    campaign = new_campaign()
    blind = merging._MERGE.text.replace("NOT EXISTS (SELECT FROM common)", "true")
    monkeypatch.setattr(merging, "_MERGE", text(blind))

    requests = accept_all(campaign, bodies[:1])
    take_turn(campaign.number)
    requests |= accept_all(campaign, bodies[1:])
    take_turn(campaign.number)

    with pytest.raises(AssertionError):
        assert_store_is_the_rule_applied_to_the_ledger(campaign, requests)


def test_a_lead_that_does_not_change_is_not_written(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    body = [{"email": "a@x.test", "firstName": "Ana", "n": 1, "flag": True}]
    accept_all(campaign, [body])
    take_turn(campaign.number)
    version = "SELECT xmin, ctid, updated_at FROM lead WHERE campaign_id = :campaign"
    before = sql(version, campaign=campaign.number)

    accept_all(campaign, [body, [{"email": "a@x.test", "n": 1.0}], [{"email": "A@X.test", "gone": None}]])
    take_turn(campaign.number)

    assert sql(version, campaign=campaign.number) == before


@pytest.mark.parametrize(
    "enrollment",
    [
        "status = 'active', position = 2, due_at = now() + interval '3 days'",
        "status = 'completed', position = 3, due_at = NULL",
        "status = 'stopped', position = 1, due_at = NULL, stop_reason = 'failed'",
    ],
)
def test_an_upsert_changes_no_byte_of_an_enrollment(new_campaign: NewCampaign, enrollment: str) -> None:
    campaign = new_campaign(0, 1, 2)
    accept_all(campaign, [[{"email": "a@x.test", "firstName": "Ana"}]])
    take_turn(campaign.number)
    sql(f"UPDATE lead SET {enrollment} WHERE campaign_id = :campaign", campaign=campaign.number)
    enrolled = (
        "SELECT status::bytea, int2send(position), timestamptz_send(due_at), timestamptz_send(enrolled_at),"
        " stop_reason::bytea FROM lead WHERE campaign_id = :campaign"
    )
    before = sql(enrolled, campaign=campaign.number)

    accept_all(campaign, [[{"email": "a@x.test", "firstName": "Eva", "company": None, "new": 1}]])
    take_turn(campaign.number)

    assert sql(enrolled, campaign=campaign.number) == before
    assert stored_leads(campaign.number)["a@x.test"].standard["firstName"] == "Eva"


def test_a_stopped_lead_is_updated_and_not_counted_as_enrolled(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    accept_all(campaign, [[{"email": "a@x.test"}, {"email": "b@x.test"}]])
    take_turn(campaign.number)
    sql("UPDATE lead SET status = 'stopped', due_at = NULL WHERE email = 'a@x.test'")

    accept_all(campaign, [[{"email": "a@x.test", "n": 1}, {"email": "b@x.test", "n": 1}, {"email": "c@x.test"}]])
    take_turn(campaign.number)

    counts = sql("SELECT created, updated, enrolled FROM job ORDER BY id DESC LIMIT 1")
    assert [tuple(row) for row in counts] == [(1, 2, 2)]


def test_the_database_refuses_counts_that_do_not_add_up(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    accept_all(campaign, [[{"email": "a@x.test"}, {"email": "a@x.test"}, {"email": "no"}]])
    take_turn(campaign.number)

    for count in ("received", "created", "updated", "duplicates", "skipped", "errors"):
        with pytest.raises(IntegrityError, match="job_adds_up"):
            sql(f"UPDATE job SET {count} = {count} + 1")


def test_a_job_that_fails_by_itself_is_taken_alone_and_dies_and_the_lane_goes_on(
    new_campaign: NewCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = new_campaign()
    accept_all(campaign, [[{"email": f"{n}@x.test"}] for n in range(9)])
    poison = sql("SELECT id FROM job ORDER BY id OFFSET 4 LIMIT 1")[0][0]
    apply_jobs = merging.apply_jobs

    def fail_on_poison(session: Any, number: int, jobs: Sequence[int]) -> Any:
        if poison in jobs:
            raise RuntimeError("poison")
        return apply_jobs(session, number, jobs)

    monkeypatch.setattr(merging, "apply_jobs", fail_on_poison)

    while take_turn(campaign.number):
        pass

    dead = sql("SELECT id, attempts, last_error FROM job WHERE status = 'dead'")
    assert [tuple(row) for row in dead] == [(poison, 5, "RuntimeError: poison")]
    assert job_statuses(campaign.number) == {"applied": 8, "dead": 1}
    in_order = sql("SELECT id FROM job WHERE status = 'applied' ORDER BY finished_at, id")
    assert in_order == sorted(in_order)


def test_a_dead_job_can_be_retried_as_a_new_job_once(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    acceptance = ledger.accept(campaign.public_id, [{"email": "a@x.test", "n": 1}])
    sql("UPDATE job SET status = 'dead', finished_at = now()")

    retried = ledger.retry(acceptance.job_id)
    assert ledger.retry(acceptance.job_id) == retried != acceptance.job_id
    take_turn(campaign.number)

    assert job_statuses(campaign.number) == {"applied": 1, "dead": 1}
    assert stored_leads(campaign.number)["a@x.test"].variables == {"n": 1}
