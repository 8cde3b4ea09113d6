"""`enroll intake` as a real process: killed, frozen, doubled, its servers gone: entries keep their order, once each."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Self

import pytest
from conftest import Store
from redis import Redis
from support.database import job_statuses, send_statuses, sql
from support.fleet import Workers
from support.polling import until

from worker.store import campaigns
from worker.store.tables import Campaign
from worker.stream_queue import GROUP, STREAM

NewCampaign = Callable[..., Campaign]

MAIN = "from worker.cli.main import main; main()"
SIGNAL_ITSELF = "import os, signal; os.kill(os.getpid(), signal.{})"
DIES_BEFORE_IT_ACKNOWLEDGES = f"""
from worker.stream_queue import IntakeStream
IntakeStream.done = lambda *_: exec("{SIGNAL_ITSELF.format("SIGKILL")}")
"""
FREEZES_BEFORE_IT_COMMITS = f"""
from worker.store import ledger
accept_together = ledger.accept_together
def freeze(requests):
    ledger.accept_together = accept_together
    exec("{SIGNAL_ITSELF.format("SIGSTOP")}")
    return accept_together(requests)
ledger.accept_together = freeze
"""

_numbers = count()


class Reader:
    """One `enroll intake`; `patch` is done to it first."""

    def __init__(self, logs: Path, patch: str = "") -> None:
        self._command = [sys.executable, "-c", patch + MAIN, "intake"]
        logs.mkdir(parents=True, exist_ok=True)
        self._log = logs / f"intake-{next(_numbers)}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        return self

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def told(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._process, "start it first"
        return self._process

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


def add(redis: Redis, campaign: Campaign, entries: int) -> list[str]:
    """Add entries one after another; gives their ids."""
    with redis.pipeline(transaction=False) as adding:
        for _ in range(entries):
            leads = f'[{{"email": "lead{next(_numbers)}@x.test"}}]'
            adding.execute_command("XADD", STREAM, "*", "campaign_id", campaign.public_id, "leads", leads)
        return [number.decode() for number in adding.execute()]


def assert_entries_are_jobs_in_their_order(store: Store, entries: Sequence[str]) -> None:
    until(lambda: store.redis.xlen(STREAM) == 0, within=180, what="every entry's being done")
    assert [row[0] for row in sql("SELECT idempotency_key FROM job ORDER BY id")] == list(entries)
    assert store.redis.xlen("enrollment:dead") == 0
    until(lambda: store.redis.xpending(STREAM, GROUP)["pending"] == 0, what="nothing's being held")


def jobs() -> int:
    return sql("SELECT count(*) FROM job")[0][0]


@pytest.fixture
def campaign(new_campaign: NewCampaign) -> Campaign:
    return new_campaign()


@pytest.fixture
def reader(store: Store) -> Iterator[Reader]:
    with Reader(store.data_dir) as started:
        yield started


@pytest.mark.usefixtures("reader")
def test_an_entry_becomes_a_message_to_its_lead(store: Store, campaign: Campaign) -> None:
    added = add(store.redis, campaign, 1)
    with Workers(store.data_dir):
        until(lambda: job_statuses(campaign.number) == {"applied": 1}, what="the job's being applied")
        campaigns.start_campaign(campaign.public_id)
        until(lambda: send_statuses(campaign.number) == {"sent": 1}, what="the message's leaving")
        added += add(store.redis, campaign, 1)
        until(lambda: send_statuses(campaign.number) == {"sent": 2}, what="the next message's leaving")

    assert_entries_are_jobs_in_their_order(store, added)


def test_thousands_of_entries_keep_their_order_while_readers_are_killed(store: Store, campaign: Campaign) -> None:
    with Reader(store.data_dir) as first, Reader(store.data_dir) as second, ThreadPoolExecutor(1) as producer:
        adding = producer.submit(lambda: [add(store.redis, campaign, 50) for _ in range(40)])
        for killed in (first, second) * 2:
            before = jobs()
            until(lambda b=before: jobs() > b, what="a batch")
            killed.kill()
            killed.start()
        added = [number for numbers in adding.result() for number in numbers]

        assert_entries_are_jobs_in_their_order(store, added)


def test_a_reader_killed_between_commit_and_acknowledgement_leaves_no_doubles(store: Store, campaign: Campaign) -> None:
    added = add(store.redis, campaign, 200)
    with Reader(store.data_dir, patch=DIES_BEFORE_IT_ACKNOWLEDGES) as dying:
        assert dying.process.wait(60) == -signal.SIGKILL
    assert jobs() == store.redis.xlen(STREAM) == 200, "it should have died between the two"

    with Reader(store.data_dir):
        added += add(store.redis, campaign, 200)
        assert_entries_are_jobs_in_their_order(store, added)


def test_another_takes_over_from_a_frozen_reader_within_seconds_and_its_waking_up_changes_nothing(
    store: Store, campaign: Campaign
) -> None:
    added = add(store.redis, campaign, 200)
    with Reader(store.data_dir, patch=FREEZES_BEFORE_IT_COMMITS) as frozen:
        until(lambda: is_frozen(frozen), what="its freezing")
        with Reader(store.data_dir):
            until(lambda: jobs() == 200, within=30, what="another's taking over")
            added += add(store.redis, campaign, 200)
            frozen.signal(signal.SIGCONT)
            until(lambda: "trouble" in frozen.told(), what="its noticing that it has lost the lock")

            assert_entries_are_jobs_in_their_order(store, added)


@pytest.mark.usefixtures("reader")
def test_when_redis_is_emptied_what_is_added_afterwards_is_accepted(store: Store, campaign: Campaign) -> None:
    added = add(store.redis, campaign, 100)
    until(lambda: store.redis.xlen(STREAM) == 0, what="the first entries' being done")
    for round_number in range(1, 4):
        store.redis.flushall()
        added += add(store.redis, campaign, 100)
        until(lambda n=round_number: jobs() == 100 * (n + 1), what="the next entries' becoming jobs")

    assert_entries_are_jobs_in_their_order(store, added)


def test_entries_wait_until_postgresql_is_back(store: Store, campaign: Campaign, reader: Reader) -> None:
    added = add(store.redis, campaign, 10)
    until(lambda: jobs() == 10, what="the first entries' becoming jobs")
    store.servers.postgresql.kill()
    try:
        added += add(store.redis, campaign, 10)
        until(lambda: "trouble" in reader.told(), what="the reader's waiting")
        assert seconds_to_stop(reader) < 7
    finally:
        store.servers.postgresql.start()

    reader.start()
    assert_entries_are_jobs_in_their_order(store, added)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_leaves_within_seconds_when_asked_to(reader: Reader, number: signal.Signals) -> None:
    until(lambda: "reading the stream" in reader.told(), what="its being active")

    assert seconds_to_stop(reader, number) < 7

    assert "Stopped." in reader.told()
    assert "Traceback" not in reader.told()


def seconds_to_stop(reader: Reader, number: signal.Signals = signal.SIGTERM) -> float:
    began = time.monotonic()
    reader.signal(number)
    assert reader.process.wait(60) == 0
    return time.monotonic() - began


def is_frozen(reader: Reader) -> bool:
    return Path(f"/proc/{reader.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
