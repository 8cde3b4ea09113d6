"""The same leads through every door, by programs with no code of ours, become the same rows."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import Store
from support import node
from support.database import job_statuses, sql, stored_leads
from support.doors import send_message
from support.fleet import Workers
from support.polling import until

from domain.rows import fold
from worker.embedded.process import free_port, listens
from worker.store.api_keys import create_key
from worker.store.tables import Campaign

LEADS = [
    {"email": "Priya.Sharma@voltmetrics.io", "firstName": "Priya", "seats": 7, "trial": False, "ratio": 1.50},
    {"email": "zoë@bücher.test", "firstName": "Zoë", "company": None, "note": 'two\nlines, "quoted"', "big": 10**25},
    {"email": "nobody"},
    {"email": "priya.sharma@voltmetrics.io", "jobTitle": "VP of Sales", "__type__": "datetime"},
]
TEXT = json.dumps(LEADS, ensure_ascii=False)
NODE_CLIENT = """
const celery = require("celery-node");
const { url, campaign, leads } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const client = celery.createClient(url, url, "enrollment");
client.createTask("leads.bulk_upsert").applyAsync([campaign, leads]);
setTimeout(() => process.exit(0), 1000);
"""


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("celery-node")
    node.install(folder, "celery-node@0.5.9")
    return folder


@pytest.fixture
def api(store: Store) -> Iterator[str]:
    """The workers, the stream's reader and the API; gives its address."""
    port = free_port()
    with ExitStack() as running:
        running.enter_context(Workers(store.data_dir, environment={"ENROLL_SWEEP_SECONDS": "1"}, beat=True))
        for command in (["api", "--port", str(port)], ["intake"]):
            process = subprocess.Popen([sys.executable, "-m", "worker", *command], stderr=subprocess.DEVNULL)
            running.callback(process.wait, 30)
            running.callback(process.terminate)
        until(lambda: listens("127.0.0.1", port), what="the API's listening")
        yield f"http://127.0.0.1:{port}"


def by_celery(campaign: str, _: str) -> None:
    send_message(campaign, LEADS)


def by_curl(campaign: str, address: str) -> None:
    token = create_key("default", "curl", ["leads:write"]).token
    url = f"{address}/v1/campaigns/{campaign}/leads/bulk"
    headers = ["-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json"]
    subprocess.run(["curl", "-sSf", url, *headers, "-d", f'{{"leads": {TEXT}}}'], check=True, capture_output=True)


def by_a_line_to_redis(campaign: str, _: str) -> None:
    """XADD as redis-cli sends it."""
    redis = urlsplit(os.environ["ENROLL_REDIS_URL"])
    with socket.create_connection((redis.hostname or "", redis.port or 0)) as connection:
        for words in (
            ["AUTH", redis.password or ""],
            ["XADD", "enrollment:intake", "*", "campaign_id", campaign, "leads", TEXT],
        ):
            parts = [word.encode() for word in words]
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts))
            assert connection.recv(1000)[:1] in {b"+", b"$"}


def test_every_door_makes_the_same_rows(api: str, new_campaign: Callable[..., Campaign], node_folder: Path) -> None:
    def by_celery_of_node(campaign: str, _: str) -> None:
        given = {"url": os.environ["ENROLL_REDIS_URL"], "campaign": campaign, "leads": TEXT}
        node.run(node_folder, NODE_CLIENT, json.dumps(given))

    outcomes = {}
    for door in (by_celery, by_celery_of_node, by_a_line_to_redis, by_curl):
        campaign = new_campaign()
        door(campaign.public_id, api)
        until(lambda c=campaign: job_statuses(c.number) == {"applied": 1}, what=f"the job of {door.__name__}")
        counts = "SELECT received, created, duplicates, errors, row_errors, rows FROM job WHERE campaign_id = :c"
        outcomes[door.__name__] = (
            stored_leads(campaign.number),
            [tuple(row) for row in sql(counts, c=campaign.number)],
        )

    first = outcomes["by_celery"]
    assert first[0].keys() == fold(LEADS).leads.keys()
    assert {name for name, outcome in outcomes.items() if outcome != first} == set()
