"""Real processes, parallel doors, doubled messages, deaths around any commit: the store is still the pure rule's."""

import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from conftest import Store
from support.database import job_statuses, sql
from support.doors import send_message
from support.fleet import Workers
from support.ledger_check import assert_store_is_the_rule_applied_to_the_ledger
from support.polling import until
from support.requests import some_leads

from domain.job import IdempotencyKey
from worker.store import ledger
from worker.store.tables import Campaign

Requests = Mapping[str, list[Any]]
ROUNDS, MOST_ROUNDS, DOORS, REQUESTS = 6, 60, 4, 12


@pytest.fixture
def mortal_workers(store: Store) -> Iterator[Workers]:
    """Two workers whose processes die around one commit in twenty, which here counts against no job."""
    environment = {
        "ENROLL_SWEEP_SECONDS": "1",
        "ENROLL_VISIBILITY_TIMEOUT": "5",
        "ENROLL_MAX_ATTEMPTS": "1000",
    }
    app = "support.apps.mortal"
    with (
        Workers(store.data_dir, beat=True, app=app, environment=environment) as first,
        Workers(store.data_dir, app=app, name="second", environment=environment),
    ):
        yield first


def push_directly(campaign: Campaign, chance: random.Random) -> dict[str, list[Any]]:
    """A door that waits for each answer, and now and then repeats a request; gives what it sent."""
    sent: dict[str, list[Any]] = {}
    numbers: list[int] = []
    for _ in range(REQUESTS):
        key, leads = str(uuid4()), some_leads(chance)
        accepted = [
            ledger.accept(campaign.public_id, leads, IdempotencyKey("user", key))
            for _ in range(chance.choice([1, 1, 2]))
        ]
        assert len({acceptance.job_number for acceptance in accepted}) == 1
        numbers.append(accepted[0].job_number)
        sent[f"user:{key}"] = leads
    assert all(earlier < later for earlier, later in pairwise(numbers)), "what was answered first comes first"
    return sent


def push_messages(campaign: Campaign, chance: random.Random) -> dict[str, list[Any]]:
    """A door of Celery messages, every third of them doubled; gives what it sent."""
    sent: dict[str, list[Any]] = {}
    for _ in range(REQUESTS):
        task_id, leads = str(uuid4()), some_leads(chance)
        key = chance.choice([None, str(uuid4())])
        for _ in range(chance.choice([1, 1, 2])):
            send_message(campaign.public_id, leads, key=key, task_id=task_id)
        sent[f"user:{key}" if key else f"celery:{task_id}"] = leads
    return sent


def push_through_all_doors_at_once(campaign: Campaign, chance: random.Random) -> Requests:
    doors = [push_directly, push_messages] * (DOORS // 2)
    with ThreadPoolExecutor(DOORS) as threads:
        sending = [threads.submit(door, campaign, random.Random(chance.random())) for door in doors]
        return {key: leads for door in sending for key, leads in door.result().items()}


def rounds_until_a_worker_died() -> Iterator[int]:
    """How many commits a round takes depends on how busy the machine is; how many deaths, on chance."""
    for round_number in range(MOST_ROUNDS):
        yield round_number
        if round_number + 1 >= ROUNDS and sql("SELECT max(attempts) > 1 FROM job") == [(True,)]:
            return
    pytest.fail("nobody died: this test has shown nothing")


@pytest.mark.usefixtures("mortal_workers")
def test_the_store_equals_applying_each_accepted_request_once_and_in_order(
    new_campaign: Callable[..., Campaign],
) -> None:
    for round_number in rounds_until_a_worker_died():
        campaign = new_campaign()
        requests = push_through_all_doors_at_once(campaign, random.Random(round_number))
        all_applied = {"applied": len(requests)}
        until(lambda c=campaign, a=all_applied: job_statuses(c.number) == a, what="all jobs' being applied")
        assert_store_is_the_rule_applied_to_the_ledger(campaign, requests)
