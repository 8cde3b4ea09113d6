"""The master of Redis dies, its Sentinel makes the replica the master: nothing accepted is lost, and all goes on."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from celery import Celery
from conftest import Store, forget_connections
from support.database import job_statuses, send_statuses
from support.failover import MASTER, Failover, failover
from support.fleet import Workers
from support.http import serving
from support.intake_process import intake_process
from support.polling import until

from worker.celery import app
from worker.redis_client import celery_broker
from worker.store import campaigns
from worker.store.tables import Campaign
from worker.web import waiting


@pytest.fixture
def redis_that_fails_over(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Failover]:
    options = app.conf.broker_transport_options
    with failover(tmp_path / store.data_dir.name) as running, monkeypatch.context() as patched:
        patched.setenv("ENROLL_REDIS_URL", running.url)
        forget_connections()
        url, how_to_reach_the_master = celery_broker()
        patched.setitem(app.conf, "broker_url", url)
        patched.setitem(app.conf, "broker_transport_options", {**options, **how_to_reach_the_master})
        app._after_fork()  # let it make its connections anew
        yield running
    app._after_fork()


class Producer:
    """Pushes one lead at a time through the doors that are in Redis, with no code of ours."""

    def __init__(self, servers: Failover, campaign: Campaign) -> None:
        self._campaign, self._redis = campaign, servers.master()
        broker = f"sentinel://:{servers.first.password}@127.0.0.1:{servers.sentinel.port}/0"
        options = {"master_name": MASTER, "sentinel_kwargs": {"password": servers.sentinel.password}}
        self._celery = Celery(broker=broker)
        self._celery.conf.broker_transport_options = options

    def by_celery(self, name: str) -> None:
        kwargs = {"campaign_id": self._campaign.public_id, "leads": json.dumps(leads(f"{name}-celery"))}
        self._celery.send_task("leads.bulk_upsert", kwargs=kwargs, queue="enrollment")

    def by_stream(self, name: str) -> None:
        entry = {"campaign_id": self._campaign.public_id, "leads": json.dumps(leads(f"{name}-stream"))}
        self._redis.xadd("enrollment:intake", entry)


def leads(name: str) -> list[dict[str, str]]:
    return [{"email": f"{name}@x.test"}]


def test_when_the_master_dies_what_was_accepted_is_sent_and_every_door_goes_on(
    store: Store,
    redis_that_fails_over: Failover,
    new_campaign: Callable[..., Campaign],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers, campaign = redis_that_fails_over, new_campaign()
    monkeypatch.setattr(waiting, "_LOOK_EVERY_SECONDS", 60)  # so that callers are woken by Redis only
    logs = store.data_dir / "logs"
    workers = Workers(logs, beat=True, environment={"ENROLL_SWEEP_SECONDS": "1"})
    with workers, intake_process(logs / "intake.log"), serving() as let_in:
        caller, producer = let_in(), Producer(servers, campaign)
        assert caller.push(campaign.public_id, leads("before")).status_code == 200
        producer.by_celery("before")
        producer.by_stream("before")
        until(lambda: job_statuses(campaign.number) == {"applied": 3}, what="the first jobs")

        with psycopg.connect(store.database_url) as holder:
            holder.execute("LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
            producer.by_celery("in-hand")
            until(lambda: servers.master().hlen("unacked"), what="a message's being at work")
            servers.first.kill()
        accepted = caller.push(campaign.public_id, leads("meanwhile"), headers={"Prefer": "respond-async"})
        assert accepted.status_code == 202
        until(lambda: servers.second.client().role()[0] == "master", what="the replica's becoming the master")
        campaigns.start_campaign(campaign.public_id)
        until(lambda: send_statuses(campaign.number) == {"sent": 5}, what="the messages to whom was accepted")

        producer.by_celery("after")
        producer.by_stream("after")
        until(lambda: send_statuses(campaign.number) == {"sent": 7}, what="the messages to the next")
        again = {"headers": {"Prefer": "wait=3"}}
        until(lambda: caller.push(campaign.public_id, leads("after"), **again).status_code == 200, what="an answer")
    assert job_statuses(campaign.number).keys() == {"applied"}
