"""The logs of the real processes: every line says what it is about, and none says anything of a lead."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx2 as httpx
import pytest
from conftest import Store
from support.api_process import api_process
from support.database import sql
from support.doors import send_message
from support.fleet import Workers
from support.intake_process import intake_process
from support.polling import until

from worker.store import campaigns
from worker.store.api_keys import create_key
from worker.store.tables import Campaign

NAME = "Quetzalcoatl"
PLACES = (
    "good",
    "refused",
    "unmergeable",
    "undeliverable",
    "celery",
    "stream",
    "file",
    "hook",
    "header",
    "path",
    "query",
)


def lead(place: str) -> dict[str, object]:
    return {"email": f"{NAME}.{place}@secret-{place}.test", "firstName": f"{NAME} {place}", "note": f"{NAME}'s note"}


class Running(NamedTuple):
    """An API, a worker whose errors quote leads, and the stream's reader; all log to one folder."""

    url: str
    logs: Path
    workers: Workers

    def lines(self) -> list[str]:
        return [line for file in sorted(self.logs.glob("*.log")) for line in file.read_text().splitlines()]

    def objects(self) -> list[dict[str, Any]]:
        """All but Celery's banner, and its warning to those who are root, which come before there is a log."""
        return [json.loads(line) for line in self.lines() if line.startswith("{")]


@pytest.fixture
def running(store: Store, tmp_path: Path) -> Iterator[Running]:
    logs = tmp_path / "logs"
    logs.mkdir()
    environment = {"ENROLL_LOG_FORMAT": "json", "ENROLL_SWEEP_SECONDS": "1", "ENROLL_MAX_ATTEMPTS": "2"}
    with ExitStack() as stack:
        workers = stack.enter_context(Workers(logs, app="support.apps.leaky", environment=environment, beat=True))
        port = stack.enter_context(api_process(logs / "api.log", **environment))
        stack.enter_context(intake_process(logs / "intake.log", **environment))
        yield Running(f"http://127.0.0.1:{port}", logs, workers)
    assert store.data_dir


def push(running: Running, campaign: Campaign) -> str:
    """Push leads through every door, and what every door refuses or breaks at; give the id of the first request."""
    token = create_key("default", "test", ["leads:write", "campaigns:write", "read"]).token
    first = str(uuid4())
    with httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        bulk = f"/v1/campaigns/{campaign.public_id}/leads/bulk"
        client.post(bulk, json={"leads": [lead("good"), lead("undeliverable")]}, headers={"X-Request-Id": first})
        client.post(bulk, json={"leads": [{**lead("refused"), "email": f"{NAME} at home", f"{{{NAME}}}": 1}]})
        client.post(bulk, content=b'{"leads": [{"email": "%s"' % NAME.encode())
        client.post(bulk, json={"leads": [lead("good")]}, headers={"X-Request-Id": f"{NAME}@header.test"})
        client.post(bulk, json={"leads": [lead("unmergeable")]}, headers={"Prefer": "respond-async"})
        client.get(f"/v1/campaigns/{campaign.public_id}/leads/{NAME}.path@secret.test")
        client.get(f"/v1/jobs?idempotencyKey={NAME}")
        client.get(f"/{NAME}")
        client.post(
            f"/v1/campaigns/{campaign.public_id}/leads/import",
            content=f"email,First Name\n{NAME}.file@secret.test,{NAME}\n{NAME},{NAME}\n",
            headers={"Content-Type": "text/csv"},
        )
        client.post("/hooks/src_01hx4mrqpb0000000000000001", json=lead("hook"))
    return first


def push_to_the_broker(store: Store, campaign: Campaign) -> None:
    send_message(campaign.public_id, [lead("celery"), {"email": f"{NAME} bad"}])
    send_message(f"{NAME}@campaign.test", [lead("celery")])
    send_message(campaign.public_id, [lead("celery")], key=f"{NAME} with blanks")
    store.redis.lpush("enrollment", json.dumps({"body": NAME, "headers": {"task": NAME, "id": NAME}}))
    store.redis.lpush("enrollment", json.dumps({"properties": {}, NAME: f"{NAME}@envelope.test"}))
    for leads in (json.dumps([lead("stream")]), f'[{{"email": "{NAME}'):
        store.redis.xadd("enrollment:intake", {"campaign_id": campaign.public_id, "leads": leads})
    store.redis.xadd("enrollment:intake", {NAME: f"{NAME}@nowhere.test"})


def test_no_line_says_anything_of_a_lead_and_every_line_says_what_it_is_about(
    running: Running, store: Store, new_campaign: Callable[..., Campaign]
) -> None:
    campaign = new_campaign()
    first = push(running, campaign)
    campaigns.start_campaign(campaign.public_id)
    push_to_the_broker(store, campaign)
    until(lambda: sql("SELECT FROM job WHERE status = 'dead'"), what="the death of the job that cannot be merged")
    until(lambda: store.redis.xlen("enrollment:dead") >= 4, what="dead letters")
    until(lambda: sql("SELECT FROM send WHERE last_error IS NOT NULL"), what="a send that failed")
    until(lambda: not store.redis.xlen("enrollment:intake"), what="the stream")

    told = "\n".join(running.lines())

    assert NAME.lower() not in told.lower()
    assert "secret" not in told
    assert "could not be applied" in told
    assert "could not be handed over" in told
    objects = running.objects()
    [answered] = [line for line in objects if line.get("request") == first]
    assert answered["campaign"] == campaign.public_id
    assert answered["job"].startswith("job_")
    dead = [line for line in objects if "the job is dead" in line["message"]]
    assert [(line["campaign"], line["job"] in line["message"]) for line in dead] == [(campaign.public_id, True)]
    assert all(line["campaign"] == campaign.public_id for line in objects if "could not be" in line["message"])
    succeeded = [line for line in objects if line["message"].startswith("Task leads.bulk_upsert") and "job" in line]
    assert succeeded
    assert all("request" in line for line in objects if re.match(r"Task \S+ succeeded", line["message"]))
