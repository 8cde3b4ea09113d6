"""One function for every door: a request is one committed job, or a named refusal."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import forget_connections
from support.database import sql

from domain.bulk_upsert import Limits, leads_of_body, leads_of_list
from domain.errors import CampaignNotFound, IdempotencyKeyReused, JobNotDead, JobNotFound
from domain.job import IdempotencyKey
from worker.store import ledger
from worker.store.tables import Campaign

NewCampaign = Callable[..., Campaign]
KEY = IdempotencyKey("user", "import-2026-11")
LEADS: list[Any] = [{"email": "a@x.test", "n": 1}, {"email": "A@x.test", "n": 2}, {"email": "nobody"}]


def test_two_first_uses_of_a_key_at_once_make_one_job(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()

    with ThreadPoolExecutor(8) as doors:
        taken = list(doors.map(lambda _: ledger.accept(campaign.public_id, LEADS, KEY), range(40)))

    assert len({acceptance.job_id for acceptance in taken}) == 1
    assert [acceptance.replayed for acceptance in taken].count(False) == 1
    assert sql("SELECT count(*) FROM job")[0][0] == 1


def test_a_key_used_for_another_request_is_refused(new_campaign: NewCampaign) -> None:
    campaign, other = new_campaign(), new_campaign()
    ledger.accept(campaign.public_id, LEADS, KEY)

    for campaign_id, leads in (
        (campaign.public_id, LEADS[:1]),
        (campaign.public_id, [*LEADS, {"email": "b@x.test"}]),
        (other.public_id, LEADS),
    ):
        with pytest.raises(IdempotencyKeyReused):
            ledger.accept(campaign_id, leads, KEY)


def test_the_same_leads_are_the_same_request_through_any_door(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    as_list = leads_of_list(json.dumps(LEADS).encode(), Limits())
    as_body = leads_of_body(json.dumps({"leads": LEADS}, indent=2).encode(), Limits())

    assert (
        ledger.accept(campaign.public_id, as_list, KEY).job_id == ledger.accept(campaign.public_id, as_body, KEY).job_id
    )


def test_no_user_can_reach_the_key_of_a_message(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    ours = ledger.accept(campaign.public_id, LEADS, IdempotencyKey("celery", "1"))

    assert ledger.accept(campaign.public_id, LEADS, IdempotencyKey("user", "1")).job_id != ours.job_id
    assert ledger.accept(campaign.public_id, LEADS, IdempotencyKey("user", "celery:1")).job_id != ours.job_id


def test_a_request_of_bad_rows_only_is_still_a_job(new_campaign: NewCampaign) -> None:
    accepted = ledger.accept(new_campaign().public_id, ["no object", {"email": None}, {"email": "a@b"}])

    assert [error.code for error in accepted.errors] == ["invalid_type", "missing_email", "invalid_email"]
    assert accepted.received == 3


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    "campaign_id",
    [
        "",
        "camp_",
        "camp_01hx4mrqpbcn7wh2gfk9yz6e3s",
        "job_00000000000000000000000001",
        "camp_\0",
        "camp_" + "z" * 26,
        "é" * 999,
    ],
)
def test_an_unknown_campaign_is_refused(campaign_id: str) -> None:
    with pytest.raises(CampaignNotFound):
        ledger.accept(campaign_id, LEADS)


def test_only_a_dead_job_can_be_retried(new_campaign: NewCampaign) -> None:
    accepted = ledger.accept(new_campaign().public_id, LEADS)

    with pytest.raises(JobNotDead):
        ledger.retry(accepted.job_id)
    with pytest.raises(JobNotFound):
        ledger.retry("job_nothing")


def test_accepting_does_not_need_redis(new_campaign: NewCampaign, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = new_campaign()
    monkeypatch.setenv("ENROLL_REDIS_URL", "redis://127.0.0.1:1/0")
    forget_connections()

    ledger.accept(campaign.public_id, LEADS)

    assert sql("SELECT status FROM job") == [("accepted",)]
