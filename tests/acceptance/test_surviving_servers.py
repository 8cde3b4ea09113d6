"""Servers go away and come back empty: what was accepted is applied all the same."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from conftest import Store
from support.database import job_statuses, send_statuses, sql, stored_leads
from support.doors import send_message
from support.fleet import Workers
from support.polling import pause, until

from worker.store import campaigns, ledger
from worker.store.tables import Campaign

NewCampaign = Callable[..., Campaign]
OUTAGE_SECONDS = 30


@pytest.fixture
def workers(store: Store) -> Iterator[Workers]:
    environment = {"ENROLL_SWEEP_SECONDS": "1"}
    with Workers(store.data_dir, beat=True, app="support.apps.impatient", environment=environment) as started:
        yield started


def lead(number: int) -> dict[str, object]:
    return {"email": f"lead{number}@x.test", "n": number}


@pytest.mark.usefixtures("workers")
def test_messages_that_arrive_while_postgresql_is_down_for_30_seconds_become_jobs(
    store: Store, new_campaign: NewCampaign
) -> None:
    campaign = new_campaign()
    send_message(campaign.public_id, [lead(0)])
    until(lambda: job_statuses(campaign.number) == {"applied": 1}, what="the first job")

    store.servers.postgresql.kill()
    try:
        for number in range(1, 61):
            send_message(campaign.public_id, [lead(number), lead(-number), {"email": "no address"}])
            pause(OUTAGE_SECONDS / 60)
    finally:
        store.servers.postgresql.start()

    until(lambda: job_statuses(campaign.number) == {"applied": 61}, within=120, what="all jobs' being applied")
    assert len(stored_leads(campaign.number)) == 121
    assert sql("SELECT DISTINCT attempts FROM job WHERE status <> 'applied'") == []
    assert store.redis.xlen("enrollment:dead") == 0


@pytest.mark.usefixtures("workers")
def test_valkey_emptied_again_and_again_loses_nothing_that_was_accepted(
    store: Store, new_campaign: NewCampaign
) -> None:
    running = [new_campaign() for _ in range(3)]
    over = Event()

    def keep_emptying() -> None:
        while not over.is_set():
            store.redis.flushall()
            pause(0.05)

    with ThreadPoolExecutor(1) as background:
        emptying = background.submit(keep_emptying)
        try:
            for number in range(150):
                ledger.accept(running[number % 3].public_id, [lead(number), lead(number // 3)])
            for campaign in running:
                campaigns.start_campaign(campaign.public_id)
        finally:
            over.set()
            emptying.result()
    store.redis.flushall()

    for campaign in running:
        until(lambda c=campaign: job_statuses(c.number) == {"applied": 50}, what="all jobs' being applied")
        leads = len(stored_leads(campaign.number))
        until(lambda c=campaign, n=leads: send_statuses(c.number) == {"sent": n}, what="all messages' leaving")
    assert len(list(store.outbox.glob("*.eml"))) == sql("SELECT count(*) FROM lead")[0][0]
