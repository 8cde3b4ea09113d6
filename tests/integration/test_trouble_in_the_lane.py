"""What goes wrong in a lane is counted against the right job, or against none; and nothing holds a lane for ever."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from conftest import Store
from psycopg import errors
from sqlalchemy.exc import DBAPIError
from support.database import job_statuses, send_statuses, sql
from support.polling import pause, until

from worker import nudges, tasks
from worker.enrolling import take_turn
from worker.settings import settings
from worker.store import campaigns, ledger, merging, releasing
from worker.store.connection import transaction
from worker.store.tables import Campaign

NewCampaign = Callable[..., Campaign]


FREEZE_IN_THE_LANE = """
import os, signal, sys
from worker.enrolling import take_turn
from worker.store import connection, merging

connection._BEGIN = connection._BEGIN.replace(
    "'idle_in_transaction_session_timeout', '15s'", "'idle_in_transaction_session_timeout', '1s'"
)
merging.apply_jobs = lambda *_: os.kill(os.getpid(), signal.SIGSTOP)
take_turn(int(sys.argv[1]))
"""


def accept(campaign: Campaign, count: int) -> list[int]:
    leads = ([{"email": f"{n}@x.test"}] for n in range(count))
    return [ledger.accept(campaign.public_id, rows).job_number for rows in leads]


def fail_with(monkeypatch: pytest.MonkeyPatch, error: Exception, when: Callable[[Sequence[int]], bool]) -> None:
    apply_jobs = merging.apply_jobs

    def maybe_fail(session: Any, campaign: int, numbers: Sequence[int]) -> Any:
        if when(numbers):
            raise error
        return apply_jobs(session, campaign, numbers)

    monkeypatch.setattr(merging, "apply_jobs", maybe_fail)


def test_with_one_attempt_allowed_only_the_job_that_fails_is_dead(
    new_campaign: NewCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENROLL_MAX_ATTEMPTS", "1")
    settings.cache_clear()
    campaign = new_campaign()
    poison = accept(campaign, 9)[4]
    fail_with(monkeypatch, RuntimeError("poison"), lambda numbers: poison in numbers)

    take_turn(campaign.number)

    assert job_statuses(campaign.number) == {"applied": 8, "dead": 1}
    assert sql("SELECT id, attempts FROM job WHERE status = 'dead'") == [(poison, 1)]


def test_trouble_counts_against_nobody_and_is_waited_out_by_the_task(
    new_campaign: NewCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = new_campaign()
    accept(campaign, 3)
    sql("UPDATE job SET attempts = 3, suspect = true WHERE id = (SELECT min(id) FROM job)")
    full = DBAPIError.instance("x", {}, errors.DiskFull("no space"), errors.Error)
    fail_with(monkeypatch, full, lambda _: True)

    for _ in range(10):
        with pytest.raises(DBAPIError):
            take_turn(campaign.number)

    assert sql("SELECT attempts, suspect FROM job ORDER BY id") == [(3, True), (0, False), (0, False)]


def test_a_release_that_fails_fails_no_job_that_was_applied_with_it(
    new_campaign: NewCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = new_campaign()
    accept(campaign, 3)
    campaigns.start_campaign(campaign.public_id)
    release = releasing.release

    def fail(*_: Any) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(releasing, "release", fail)
    with pytest.raises(ZeroDivisionError):
        take_turn(campaign.number)

    assert job_statuses(campaign.number) == {"applied": 3}
    assert sql("SELECT DISTINCT attempts, suspect, last_error FROM job") == [(1, True, None)]
    monkeypatch.setattr(releasing, "release", release)
    take_turn(campaign.number)
    assert send_statuses(campaign.number) == {"queued": 3}


def test_a_message_is_not_buried_for_what_is_no_fault_of_its_own(
    new_campaign: NewCampaign, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = new_campaign()
    accept_request, tries = ledger.accept_request, iter([errors.UndefinedColumn("x"), errors.QueryCanceled("x")])

    def fail_twice(request: ledger.Request) -> ledger.Acceptance:
        for error in tries:
            raise DBAPIError.instance("x", {}, error, errors.Error)
        return accept_request(request)

    monkeypatch.setattr(ledger, "accept_request", fail_twice)

    tasks.bulk_upsert.apply(kwargs={"campaign_id": campaign.public_id, "leads": '[{"email": "a@x.test"}]'})

    assert job_statuses(campaign.number) == {"accepted": 1}
    assert store.redis.xlen("enrollment:dead") == 0


def test_a_worker_that_is_frozen_amid_its_work_loses_the_lane(new_campaign: NewCampaign) -> None:
    """After 15 s in production; here after one."""
    campaign = new_campaign()
    accept(campaign, 2)
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
    process = subprocess.Popen([sys.executable, "-c", FREEZE_IN_THE_LANE, str(campaign.number)], env=os.environ)
    try:
        until(lambda: Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "T", what="the worker's being frozen")
        assert sql(idle) == [(1,)]
        until(lambda: _turn_taken(campaign), what="another worker's applying the jobs")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert job_statuses(campaign.number) == {"applied": 2}


def _turn_taken(campaign: Campaign) -> bool:
    try:
        take_turn(campaign.number)
    except DBAPIError:  # the lane is still taken
        return False
    return True


def test_one_part_of_the_sweep_that_fails_keeps_no_other_from_its_turn(
    store: Store, new_campaign: NewCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(new_campaign(), 1)
    store.redis.flushall()

    def fail(_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("worker.store.outbox.expire", fail)
    monkeypatch.setattr("worker.store.sweeping.campaigns_to_release", fail)
    tasks.sweep()

    assert store.redis.llen("enrollment") == 1


def test_the_flag_of_a_nudge_that_was_lost_with_its_worker_is_forgotten_by_the_sweep(
    store: Store, new_campaign: NewCampaign
) -> None:
    accept(new_campaign(), 1)
    store.redis.delete("enrollment")  # taken by a worker that died at once

    tasks.sweep()

    assert store.redis.llen("enrollment") == 1


def test_a_nudge_that_waits_for_long_is_not_joined_by_another(store: Store, new_campaign: NewCampaign) -> None:
    accept(new_campaign(), 1)

    for _ in range(5):
        tasks.sweep()

    assert store.redis.llen("enrollment") == 1
    assert nudges._FLAG_SECONDS >= 300


def test_a_pause_does_not_wait_for_those_who_keep_accepting(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    sql("UPDATE campaign SET status = 'running'")
    over, paused = Event(), Event()

    def hold_campaign_as_an_accept_does() -> None:
        while not over.is_set():
            with transaction() as session:
                ledger.accept_within(session, [ledger.Request.of(campaign.public_id, [{"email": "a@x.test"}])])
                pause(0.05)

    with ThreadPoolExecutor(9) as threads:
        for _ in range(8):
            threads.submit(hold_campaign_as_an_accept_does)
        until(lambda: sql("SELECT count(*) > 20 FROM job") == [(True,)], what="a steady stream of jobs")
        pausing = threads.submit(lambda: (campaigns.pause_campaign(campaign.public_id), paused.set()))
        before = sql("SELECT count(*) FROM job")[0][0]
        until(paused.is_set, what="the pause")
        overtaken = sql("SELECT count(*) FROM job")[0][0] - before
        over.set()
        pausing.result()
    assert overtaken < 16, "it waited for accepts that began after it"


def test_the_rows_of_a_dead_job_stay_until_it_is_retried(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    job = ledger.accept(campaign.public_id, [{"email": "a@x.test"}])
    sql("UPDATE job SET status = 'dead', finished_at = now() - interval '99 days'")

    tasks.sweep()
    ledger.retry(job.job_id)
    take_turn(campaign.number)

    assert job_statuses(campaign.number) == {"applied": 1, "dead": 1}
