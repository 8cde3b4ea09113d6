"""Everything goes through PgBouncer in transaction mode, with the smallest pool that README allows."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from conftest import Store, forget_connections
from support.command_line import enroll
from support.database import job_statuses, send_statuses
from support.pgbouncer import pgbouncer

from worker import intake, tasks
from worker.endpoints import database_url
from worker.enrolling import take_turn
from worker.store import campaigns, ledger
from worker.store.tables import Campaign
from worker.stream_queue import IntakeStream

CONNECTIONS_OF_A_PROCESS = 2


@pytest.fixture(autouse=True)
def through_pgbouncer(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with pgbouncer(store.database_url, tmp_path, CONNECTIONS_OF_A_PROCESS) as url:
        monkeypatch.setenv("ENROLL_DATABASE_URL", url)
        forget_connections()
        yield
        forget_connections()


def test_leads_are_accepted_applied_released_and_sent(new_campaign: Callable[..., Campaign]) -> None:
    campaign = new_campaign()
    ledger.accept(campaign.public_id, [{"email": "a@x.test"}, {"email": "b@x.test"}])
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)
    tasks.sweep()
    tasks.deliver()

    assert job_statuses(campaign.number) == {"applied": 1}
    assert send_statuses(campaign.number) == {"sent": 2}


def test_entries_of_the_stream_become_jobs(store: Store, new_campaign: Callable[..., Campaign]) -> None:
    """Its reader holds a lock in one transaction, and commits the jobs in another."""
    campaign, stream = new_campaign(), IntakeStream(store.redis, block_milliseconds=1)
    stream.oldest()
    store.redis.xadd("enrollment:intake", {"campaign_id": campaign.public_id, "leads": '[{"email": "a@x.test"}]'})

    assert intake.take_in(stream)

    assert job_statuses(campaign.number) == {"accepted": 1}


def test_commands_and_migrations_work_and_leave_nothing_behind_for_whoever_gets_the_connection_next() -> None:
    assert enroll("migrate").code == 0
    assert enroll("status").code == 0

    with psycopg.connect(database_url(), autocommit=True) as somebody:
        left = "SELECT current_setting('statement_timeout'), (SELECT count(*) FROM pg_prepared_statements)"
        assert somebody.execute(left).fetchone() == ("0", 0)
