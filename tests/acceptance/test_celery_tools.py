"""Flower and Celery's own tools, as people run them: they show what is going on, and nothing of a lead."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import Store
from support.doors import send_message
from support.fleet import TESTS, Workers
from support.polling import until

from worker.embedded.process import free_port, listens
from worker.store.tables import Campaign

CELERY = [sys.executable, "-m", "celery", "-A", "worker"]
NAME = "Quetzalcoatl"
LEADS = [{"email": f"{NAME}@secret.test", "firstName": NAME}]
NewCampaign = Callable[..., Campaign]


@pytest.fixture
def stuck(store: Store, new_campaign: NewCampaign) -> Iterator[Campaign]:
    """A worker that cannot go on with a message full of leads, because somebody has locked the ledger."""
    campaign = new_campaign()
    with Workers(store.data_dir / "logs", concurrency=1), psycopg.connect(store.database_url) as holder:
        holder.execute("LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
        for number in range(3):
            send_message(campaign.public_id, LEADS, key=f"{NAME}-{number}")
        until(lambda: store.redis.llen("enrollment") == 2, what="one call at work, two waiting")
        yield campaign
        holder.rollback()


def celery(*words: str) -> str:
    done = subprocess.run([*CELERY, *words], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


def start(*words: str, log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            [*CELERY, *words],
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": str(TESTS), "PYTHONUNBUFFERED": "1"},
        )


def test_inspect_shows_calls_by_their_campaign(stuck: Campaign) -> None:
    [(worker, [active])] = json.loads(celery("inspect", "active", "--json")).items()

    assert active["name"] == "leads.bulk_upsert"
    assert active["kwargs"] == {"campaign_id": stuck.public_id, "leads": "…", "idempotency_key": "…"}
    assert NAME not in str(active)
    queues = json.loads(celery("inspect", "active_queues", "--json"))[worker]
    assert {queue["name"] for queue in queues} == {"enrollment", "sequencer", "delivery", "maintenance"}
    assert "pong" in celery("inspect", "ping")
    assert os.environ["ENROLL_REDIS_URL"].rpartition("@")[0].rpartition(":")[2] not in celery("inspect", "conf")


def test_flower_and_events_show_what_goes_on(store: Store, new_campaign: NewCampaign, tmp_path: Path) -> None:
    campaign, port, dump = new_campaign(), free_port(), tmp_path / "events.log"
    with Workers(store.data_dir / "logs", concurrency=1, name="seen"):
        events = start("events", "--dump", log=dump)
        flower = start("flower", f"--port={port}", "--address=127.0.0.1", log=tmp_path / "flower.log")
        try:
            until(lambda: listens("127.0.0.1", port), what="Flower's listening")
            until(lambda: "seen@" in read(port, "/workers?json=1"), what="Flower's seeing the worker")
            celery("control", "enable_events")
            until(lambda: "heartbeat" in dump.read_text(), what="events")
            send_message(campaign.public_id, LEADS, key=NAME)
            until(lambda: len(details(port)) >= 3, what="Flower's seeing the message and the nudge it brought")
            until(lambda: dump.read_text().count("succeeded") >= 2, what="the events of the tasks")
            pages = [read(port, page) for page in ("/workers", "/tasks", "/broker", "/metrics", *details(port))]
        finally:
            for process in (events, flower):
                process.send_signal(signal.SIGTERM)
                process.wait(30)

    told = "".join(pages) + dump.read_text() + (tmp_path / "flower.log").read_text()
    assert campaign.public_id in told
    assert NAME not in told
    assert "secret.test" not in told
    assert all(queue in pages[2] for queue in ("enrollment", "sequencer", "delivery", "maintenance"))


def read(port: int, page: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{page}", timeout=30) as answer:
        return str(answer.read().decode())


def details(port: int) -> list[str]:
    """The pages of the tasks that Flower has seen."""
    shown = "draw=1&start=0&length=10&search[value]="
    query = f"/tasks/datatable?{shown}&order[0][column]=0&order[0][dir]=asc&columns[0][data]=name"
    rows: list[dict[str, Any]] = json.loads(read(port, query))["data"]
    return [query, *(f"/task/{row['uuid']}" for row in rows)]


def test_the_length_of_a_queue_counts_campaigns_with_work(store: Store, new_campaign: NewCampaign) -> None:
    from worker import nudges  # noqa: PLC0415  # as others do, once the settings are there

    for campaign in (new_campaign(), new_campaign()):
        for _ in range(5):
            nudges.apply(campaign.public_id)

    assert store.redis.llen("enrollment") == 2
