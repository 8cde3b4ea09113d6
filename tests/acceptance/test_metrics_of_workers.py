"""Metrics of real processes: a worker adds its processes up, those that died too; two on one machine do not clash."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Store
from support.database import job_statuses
from support.doors import send_message
from support.exposition import Samples
from support.fleet import Workers
from support.polling import until

from worker.embedded.process import free_port
from worker.observability import directory
from worker.store import campaigns
from worker.store.tables import Campaign


def served_at(workers: Workers) -> str:
    """The address that the worker says its metrics are at."""
    found = until(lambda: re.search(r"metrics: (http://\S+)", workers.log.read_text()), what="the address")
    assert found
    return found[1]


def test_what_the_processes_of_a_worker_count_is_added_up_and_outlives_them(
    store: Store, new_campaign: Callable[..., Campaign]
) -> None:
    campaign = new_campaign()
    environment = {"ENROLL_METRICS_PORT": "0", "ENROLL_SWEEP_SECONDS": "1"}
    with Workers(store.data_dir / "logs", environment=environment, beat=True) as workers:
        url = served_at(workers)
        assert Samples.scraped(url).has("rows_total", outcome="created"), "series are there before anything happens"
        until(lambda: Samples.scraped(url).get("release_last_success_timestamp_seconds"), what="a sweep")
        for number in range(20):
            send_message(campaign.public_id, [{"email": f"lead{number}@x.test"}])
        until(lambda: job_statuses(campaign.number), what="the first job")
        campaigns.start_campaign(campaign.public_id)

        until(
            lambda: Samples.scraped(url).get("sends_total", provider="file", outcome="accepted") == 20, what="20 sends"
        )
        for child in children_of(workers):
            os.kill(child, signal.SIGKILL)
        send_message(campaign.public_id, [{"email": "late@x.test"}])
        until(
            lambda: Samples.scraped(url).get("sends_total", provider="file", outcome="accepted") == 21, what="21 sends"
        )

        samples = Samples.scraped(url)
        assert samples.get("items_accepted_total") == 21
        assert samples.get("rows_total", outcome="created") == 21
        assert samples.get("items_finished_total", stage="apply", outcome="ok") == 21
        until(lambda: Samples.scraped(url).get("workers_alive", queue="delivery") == 1, what="a sign of life")
        assert workers.stop() == 0


def children_of(workers: Workers) -> list[int]:
    parent = workers._running().pid
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


@pytest.mark.usefixtures("store")
def test_a_second_worker_waits_for_the_port_and_works_meanwhile(store: Store) -> None:
    port = free_port()
    environment = {"ENROLL_METRICS_PORT": str(port)}
    url = f"http://127.0.0.1:{port}/metrics"
    with Workers(store.data_dir / "a", environment=environment, name="first") as first:
        until(lambda: "metrics: " in first.log.read_text(), what="the first's metrics")
        with Workers(store.data_dir / "b", environment=environment, name="second") as second:
            until(lambda: "nobody can listen on" in second.log.read_text(), what="the second's notice")
            assert first.stop() == 0
            until(lambda: "metrics: " in second.log.read_text(), what="the second's metrics")
            assert Samples.scraped(url).has("snapshot_timestamp_seconds")


def test_the_folder_of_a_killed_program_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(directory, "_made", [])
    monkeypatch.setenv(directory.VARIABLE, "")
    left = tmp_path / "enroll-metrics-left"
    left.mkdir()
    (left / "lock").touch()

    kept = directory.make_own()
    also_kept = directory.make_own()

    assert not left.exists()
    assert kept.is_dir()
    directory.remove_own()
    assert not kept.exists()
    assert not also_kept.exists()
