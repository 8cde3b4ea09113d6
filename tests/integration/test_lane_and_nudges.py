"""The lane lets one in at a time, nudges coalesce without losing a wake-up, a message twice is one job; and the
broken twin of each, so that these tests are known to fail where the promise is broken.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from conftest import Store
from support.database import job_statuses
from support.ledger_check import assert_store_is_the_rule_applied_to_the_ledger

from domain.job import IdempotencyKey
from worker import nudges, tasks
from worker.enrolling import take_turn
from worker.store import attempts, lane, ledger, merging
from worker.store.tables import Campaign

NewCampaign = Callable[..., Campaign]
LEADS = '[{"email": "a@x.test"}]'


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What got in the way of workers."""
    noted: list[Any] = []
    monkeypatch.setattr(attempts, "note_failure", lambda *failure: noted.append(failure))
    return noted


@pytest.fixture
def two_in_the_lane_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever merges waits a moment for another one to merge beside him, if the lane lets him in."""
    meeting, apply_jobs = Barrier(2), merging.apply_jobs

    def meet_and_apply(*arguments: Any) -> Any:
        with suppress(BrokenBarrierError):  # alone, as it must be
            meeting.wait(timeout=2)
        return apply_jobs(*arguments)

    monkeypatch.setattr(merging, "apply_jobs", meet_and_apply)


def apply_with_two_workers(campaign: Campaign) -> dict[str, list[Any]]:
    requests = {str(n): [{"email": f"{n % 3}@x.test", "n": n}] for n in range(6)}
    for key, leads in requests.items():
        ledger.accept(campaign.public_id, leads, IdempotencyKey("user", key))
    with ThreadPoolExecutor(2) as workers:
        list(workers.map(take_turn, [campaign.number] * 2))
    return {f"user:{key}": leads for key, leads in requests.items()}


def assert_applied_undisturbed(campaign: Campaign, requests: dict[str, list[Any]], failures: list[Any]) -> None:
    assert failures == []
    assert_store_is_the_rule_applied_to_the_ledger(campaign, requests)


@pytest.mark.usefixtures("two_in_the_lane_at_once")
def test_two_workers_never_merge_into_one_campaign_at_once(new_campaign: NewCampaign, failures: list[Any]) -> None:
    campaign = new_campaign()

    requests = apply_with_two_workers(campaign)

    assert_applied_undisturbed(campaign, requests, failures)


@pytest.mark.usefixtures("two_in_the_lane_at_once")
def test_without_its_lock_the_lane_lets_two_in(
    new_campaign: NewCampaign, failures: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broken twin."""
    campaign = new_campaign()
    monkeypatch.setattr(lane, "take", lambda *_, **__: True)

    requests = apply_with_two_workers(campaign)

    with pytest.raises(AssertionError):
        assert_applied_undisturbed(campaign, requests, failures)


def test_many_nudges_are_one_message(store: Store, new_campaign: NewCampaign) -> None:
    campaign, other = new_campaign(), new_campaign()

    for _ in range(20):
        nudges.apply(campaign.public_id)
    nudges.apply(other.public_id)

    assert store.redis.llen("enrollment") == 2


@pytest.fixture
def accepted_at_the_last_moment(new_campaign: NewCampaign, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """A campaign that gets a job just after its worker has looked for work for the last time."""
    campaign = new_campaign()

    def look_and_be_late(number: int) -> bool:
        more = take_turn(number)
        ledger.accept(campaign.public_id, [{"email": "late@x.test"}])
        return more

    monkeypatch.setattr(tasks, "take_turn", look_and_be_late)
    ledger.accept(campaign.public_id, [{"email": "early@x.test"}])
    return campaign


def waiting_nudges_after_the_turn(store: Store, campaign: Campaign) -> int:
    store.redis.delete("enrollment")  # the nudge is taken off the queue …
    tasks.apply(campaign_id=campaign.public_id)  # … and worked on
    assert job_statuses(campaign.number) == {"applied": 1, "accepted": 1}
    return store.redis.llen("enrollment")


def test_a_job_accepted_after_the_last_look_nudges_anew(store: Store, accepted_at_the_last_moment: Campaign) -> None:
    assert waiting_nudges_after_the_turn(store, accepted_at_the_last_moment) == 1


def test_a_flag_cleared_after_looking_loses_the_wake_up(
    store: Store, accepted_at_the_last_moment: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broken twin."""
    look, take_up = tasks.take_turn, nudges.take_up

    def look_then_clear(number: int) -> bool:
        more = look(number)
        take_up(nudges.APPLY, accepted_at_the_last_moment.public_id)
        return more

    monkeypatch.setattr(nudges, "take_up", lambda *_: None)
    monkeypatch.setattr(tasks, "take_turn", look_then_clear)

    assert waiting_nudges_after_the_turn(store, accepted_at_the_last_moment) == 0


def deliver_message_twice(campaign: Campaign) -> None:
    for _ in range(2):
        tasks.bulk_upsert.apply(kwargs={"campaign_id": campaign.public_id, "leads": LEADS}, task_id="one-task")


def test_a_message_that_comes_twice_is_one_job(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()

    deliver_message_twice(campaign)

    assert job_statuses(campaign.number) == {"accepted": 1}


def test_without_a_key_from_the_task_id_it_is_two(new_campaign: NewCampaign, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken twin."""
    campaign = new_campaign()
    monkeypatch.setattr(tasks, "key_of", lambda *_: None)

    deliver_message_twice(campaign)

    assert job_statuses(campaign.number) == {"accepted": 2}
