"""Who is due gets one send for each step, once, and only while the campaign runs."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from support.database import send_statuses, sql

from domain.errors import NoLeadsEnrolled, NoSequenceSteps
from domain.sequence import Enrollment, after_failed, after_sent, is_due, release
from worker.enrolling import take_turn
from worker.store import campaigns, ledger, releasing
from worker.store.connection import transaction
from worker.store.tables import Campaign

NewCampaign = Callable[..., Campaign]
DELAYS = [0, 2, 0, 7]


def enroll(campaign: Campaign, count: int, prefix: str = "lead") -> None:
    ledger.accept(campaign.public_id, [{"email": f"{prefix}{n}@x.test"} for n in range(count)])
    take_turn(campaign.number)


def set_status(campaign: Campaign, status: str) -> None:
    sql("UPDATE campaign SET status = :status WHERE id = :number", status=status, number=campaign.number)


def test_a_draft_releases_nobody_and_start_releases_everybody_once(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    enroll(campaign, 4_500)
    assert send_statuses(campaign.number) == {}

    campaigns.start_campaign(campaign.public_id)
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)
    take_turn(campaign.number)

    assert send_statuses(campaign.number) == {"queued": 4_500}


def test_leads_added_after_the_start_are_released_with_their_job(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    enroll(campaign, 1, "early")
    campaigns.start_campaign(campaign.public_id)
    enroll(campaign, 3, "late")

    assert send_statuses(campaign.number) == {"queued": 4}


def test_a_paused_campaign_releases_nobody_until_it_is_resumed(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    enroll(campaign, 1)
    campaigns.start_campaign(campaign.public_id)
    campaigns.pause_campaign(campaign.public_id)
    enroll(campaign, 5)
    assert send_statuses(campaign.number) == {}

    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)

    assert send_statuses(campaign.number) == {"queued": 5}


def test_a_campaign_without_steps_or_leads_cannot_be_started(new_campaign: NewCampaign) -> None:
    with pytest.raises(NoLeadsEnrolled):
        campaigns.start_campaign(new_campaign().public_id)
    stepless = campaigns.create_campaign("default", "Stepless", [])
    ledger.accept(stepless.public_id, [{"email": "a@x.test"}])
    with pytest.raises(NoSequenceSteps):
        campaigns.start_campaign(stepless.public_id)


def test_an_accepted_job_is_enough_to_start(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    ledger.accept(campaign.public_id, [{"email": "a@x.test"}])

    assert campaigns.start_campaign(campaign.public_id).status == "running"


def test_a_release_done_twice_makes_no_second_send(new_campaign: NewCampaign) -> None:
    """Even where the code forgets that a lead had its step, UNIQUE (lead, step) does not."""
    campaign = new_campaign()
    enroll(campaign, 3)
    set_status(campaign, "running")
    take_turn(campaign.number)
    sql("UPDATE lead SET position = 0, due_at = now()")

    take_turn(campaign.number)

    assert send_statuses(campaign.number) == {"queued": 3}


def test_without_the_unique_constraint_a_step_goes_out_twice(new_campaign: NewCampaign) -> None:
    """The broken twin of the test above."""
    campaign = new_campaign()
    enroll(campaign, 3)
    set_status(campaign, "running")
    take_turn(campaign.number)
    sql("UPDATE lead SET position = 0, due_at = now()")
    sql("ALTER TABLE send DROP CONSTRAINT send_lead_step")
    without_conflict = str(releasing._RELEASE.text).replace("ON CONFLICT ON CONSTRAINT send_lead_step DO NOTHING", "")

    with transaction() as session:
        given = {"campaign": campaign.number, "chunk": 10, "accepted_at": None, "trace": None}
        session.connection().execute(text(without_conflict), given)

    assert send_statuses(campaign.number) == {"queued": 6}


def race(*actions: Callable[[], Any]) -> None:
    barrier = Barrier(len(actions))

    def run(action: Callable[[], Any]) -> None:
        barrier.wait()
        action()

    with ThreadPoolExecutor(len(actions)) as threads:
        for outcome in [threads.submit(run, action) for action in actions]:
            outcome.result()


def test_a_start_that_races_upserts_loses_nobody_and_sends_to_nobody_twice(new_campaign: NewCampaign) -> None:
    for round_number in range(200):
        campaign = new_campaign()
        enroll(campaign, 1, "first")

        def start(campaign: Campaign = campaign) -> None:
            campaigns.start_campaign(campaign.public_id)
            take_turn(campaign.number)

        race(start, lambda c=campaign: enroll(c, 20, "a"), lambda c=campaign: enroll(c, 20, "b"))
        # No turn after the race: each one's own must have been enough.
        sends = sql("SELECT count(*), count(DISTINCT lead_id) FROM send WHERE campaign_id = :c", c=campaign.number)
        assert sends == [(41, 41)], round_number


def test_a_pause_that_races_a_release_lets_nothing_out_after_it(new_campaign: NewCampaign) -> None:
    chance = random.Random(1)
    for round_number in range(60):
        campaign = new_campaign()
        enroll(campaign, chance.randint(1, 300))
        set_status(campaign, "running")
        seen: list[dict[str, int]] = []

        def pause(campaign: Campaign = campaign, seen: list[dict[str, int]] = seen) -> None:
            campaigns.pause_campaign(campaign.public_id)
            seen.append(send_statuses(campaign.number))

        race(pause, lambda c=campaign: take_turn(c.number))
        assert [send_statuses(campaign.number)] == seen, round_number


enrollments = st.lists(
    st.tuples(
        st.sampled_from(["waiting", "active", "completed", "stopped"]),
        st.integers(0, len(DELAYS)),
        st.sampled_from([None, -1, 1]),  # due: never, an hour ago, in an hour
        st.sampled_from([None, "queued", "sending", "sent", "failed", "unknown"]),  # the send of the last step
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=enrollments, running=st.booleans())
def test_settle_and_release_in_sql_equal_the_rules_of_a_sequence(
    new_campaign: NewCampaign, places: list[Any], *, running: bool
) -> None:
    campaign = new_campaign(*DELAYS)
    set_status(campaign, "running" if running else "paused")
    now: datetime = sql("SELECT date_trunc('second', now())")[0][0]
    expected: list[tuple[Any, ...]] = []
    for number, (status, position, due, send_status) in enumerate(places):
        due_at = now + timedelta(hours=due) if due and status in {"waiting", "active"} else None
        before = Enrollment(status, position, due_at)
        has_send = send_status is not None and position > 0
        _store(campaign, number, before, send_status if has_send else None, now)
        expected.append(_by_the_rules(before, send_status if has_send else None, now, running=running))

    with transaction() as session:
        _, may_release = releasing.settle(session, campaign.number)
        if may_release:
            releasing.release(session, campaign.number)

    stored = sql(
        "SELECT status, position, due_at, stop_reason FROM lead WHERE campaign_id = :c ORDER BY id", c=campaign.number
    )
    assert [tuple(row) for row in stored] == expected


def _store(campaign: Campaign, number: int, place: Enrollment, send_status: str | None, now: datetime) -> None:
    sql(
        "WITH enrolled AS ("
        " INSERT INTO lead (campaign_id, email, custom_variables, status, position, due_at)"
        " VALUES (:c, :email, '{}', :status, :position, :due_at) RETURNING id, position)"
        " INSERT INTO send (campaign_id, lead_id, step, status, finished_at)"
        " SELECT :c, id, position, :send_status, :now FROM enrolled WHERE CAST(:send_status AS text) IS NOT NULL",
        c=campaign.number,
        email=f"{number}@x.test",
        status=place.status,
        position=place.position,
        due_at=place.due_at,
        send_status=send_status,
        now=now,
    )


def _by_the_rules(place: Enrollment, send_status: str | None, now: datetime, *, running: bool) -> tuple[Any, ...]:
    if place.status == "active" and send_status == "sent":
        place = after_sent(place, DELAYS, now)
    elif place.status == "active" and send_status == "failed":
        place = after_failed(place)
    if running and is_due(place, now + timedelta(seconds=1)):
        place = release(place)
    return (place.status, place.position, place.due_at, place.stop_reason)
