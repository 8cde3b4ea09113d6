"""/metrics of the API: who may read it, and that what it says is what SQL says and what was done."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import Store
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError
from support.app import shared_app
from support.database import sql
from support.exposition import Samples
from support.ops import ADMIN, page

from worker.delivering import deliver_turn
from worker.enrolling import take_turn
from worker.observability import exposition, instruments
from worker.observability.snapshot import Sampler
from worker.reports.ops.stages import apply_now, deliver_now, release_now
from worker.store import attempts, campaigns, ledger
from worker.store.api_keys import create_key
from worker.store.connection import transaction
from worker.store.tables import Campaign
from worker.transport import open_transport

NewCampaign = Callable[..., Campaign]


@pytest.fixture(autouse=True)
def a_sampler_that_has_seen_nothing() -> Iterator[None]:
    exposition.registry.cache_clear()
    yield
    exposition.registry.cache_clear()


def told() -> Samples:
    """What is told now, whatever was told a moment ago."""
    exposition.registry.cache_clear()
    return Samples.of(exposition.exposition().decode())


def client(host: str = "127.0.0.1", url: str = "http://127.0.0.1") -> TestClient:
    return TestClient(shared_app(), base_url=url, client=(host, 40_000))


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("host", "url", "headers"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080", {}),
        ("127.0.0.1", "http://localhost:8080", {}),
        ("::1", "http://[::1]:8080", {}),
    ],
)
def test_who_asks_from_this_machine_needs_no_key(host: str, url: str, headers: dict[str, str]) -> None:
    answer = client(host, url).get("/metrics", headers=headers)

    assert answer.status_code == 200
    assert "enroll_snapshot_timestamp_seconds" in answer.text


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("host", "url", "headers"),
    [
        ("10.0.0.7", "http://127.0.0.1", {}),
        ("10.0.0.7", "http://127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
        ("127.0.0.1", "http://127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
        ("127.0.0.1", "http://127.0.0.1", {"X-Forwarded-For": "8.8.8.8"}),
        ("127.0.0.1", "http://127.0.0.1", {"Forwarded": "for=8.8.8.8"}),
        ("127.0.0.1", "http://127.0.0.1", {"X-Real-IP": "8.8.8.8"}),
        ("127.0.0.1", "http://metrics.example.com", {}),
        ("127.0.0.1", "http://127.0.0.1.example.com", {}),
    ],
)
def test_who_asks_from_elsewhere_or_by_a_proxy_needs_a_key(host: str, url: str, headers: dict[str, str]) -> None:
    asked = client(host, url)
    read, operate = create_key("default", "a", ["read"]).token, create_key("default", "b", ["ops:read"]).token

    assert asked.get("/metrics", headers=headers).status_code == 401
    assert asked.get("/metrics", headers={**headers, "Authorization": f"Bearer {read}"}).status_code == 403
    assert asked.get("/metrics", headers={**headers, "Authorization": f"Bearer {operate}"}).status_code == 200


def test_the_gauges_of_the_stages_are_those_of_the_operations_page(new_campaign: NewCampaign) -> None:
    running, paused = new_campaign(), new_campaign()
    for campaign in (running, paused):
        ledger.accept(campaign.public_id, [{"email": f"lead{n}@x.test"} for n in range(3)])
        take_turn(campaign.number)
        ledger.accept(campaign.public_id, [{"email": "late@x.test"}])
    sql("UPDATE campaign SET status = 'running' WHERE id = :id", id=running.number)
    sql("UPDATE campaign SET status = 'paused' WHERE id = :id", id=paused.number)
    sql("UPDATE lead SET due_at = now() - interval '100 s' WHERE email = 'lead1@x.test'")

    samples = told()

    with transaction() as session:
        page = [apply_now(session, None), release_now(session, None), deliver_now(session, None)]
    for stage in page:
        labels = {
            "stage": stage.stage,
            "queue": {"apply": "enrollment", "release": "sequencer"}.get(stage.stage, "delivery"),
        }
        assert samples.get("queue_due_items", **labels) == stage.due
        assert samples.get("queue_held_items", reason="paused", **labels) == stage.held
        assert samples.get("queue_oldest_due_age_seconds", **labels) == pytest.approx(stage.oldest_seconds or 0, abs=60)
    assert samples.get("queue_due_items", stage="apply", queue="enrollment") == 2
    assert samples.get("queue_due_items", stage="release", queue="sequencer") == 3
    assert samples.get("queue_held_items", stage="release", queue="sequencer", reason="paused") == 3


def test_what_is_due_at_a_paused_stage_is_held_and_not_due(new_campaign: NewCampaign) -> None:
    ledger.accept(new_campaign().public_id, [{"email": "a@x.test"}])
    sql(
        "INSERT INTO stage_pause (stage, paused_by, why, paused_at)"
        " VALUES ('apply', 'ana', 'x', now() - interval '1 h')"
    )

    samples = told()

    assert samples.get("queue_due_items", stage="apply", queue="enrollment") == 0
    assert samples.get("queue_oldest_due_age_seconds", stage="apply", queue="enrollment") == 0
    assert samples.get("queue_held_items", stage="apply", queue="enrollment", reason="paused") == 1
    assert samples.get("paused", scope="apply") == 1
    assert samples.get("pause_age_seconds", scope="apply") >= 3_600


def test_counters_add_up_to_what_was_done(new_campaign: NewCampaign, store: Store) -> None:
    campaign = new_campaign()
    before = told()
    ledger.accept(campaign.public_id, [{"email": "a@x.test"}, {"email": "A@x.test"}, {"email": "nobody"}])
    ledger.accept(campaign.public_id, [{"email": "a@x.test"}, {"email": "b@x.test"}])
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)
    deliver_turn(open_transport(store.outbox.as_uri()))
    after = told()

    def counted(name: str, **labels: str) -> float:
        return after.get(name, **labels) - before.get(name, **labels)

    assert counted("items_accepted_total") == 2
    assert [
        counted("items_finished_total", stage=s, outcome="ok") for s in ("accept", "apply", "release", "deliver")
    ] == [2, 2, 2, 2]
    outcomes = ("created", "updated", "unchanged", "duplicate", "skipped", "error")
    rows = {outcome: counted("rows_total", outcome=outcome) for outcome in outcomes}
    assert rows == {"created": 2, "updated": 0, "unchanged": 1, "duplicate": 1, "skipped": 0, "error": 1}
    assert counted("sends_total", provider="file", outcome="accepted") == 2
    assert counted("end_to_end_seconds_count") == 2
    assert counted("item_wait_seconds_count", stage="apply") == 2
    assert counted("item_wait_seconds_count", stage="deliver") == 2
    assert after.get("release_last_success_timestamp_seconds") > 0


def test_leads_that_wait_for_a_start_are_no_measure_of_speed(new_campaign: NewCampaign, store: Store) -> None:
    campaign = new_campaign()
    before = told()
    ledger.accept(campaign.public_id, [{"email": "a@x.test"}])
    take_turn(campaign.number)
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)
    deliver_turn(open_transport(store.outbox.as_uri()))
    after = told()

    assert after.get("sends_total", provider="file", outcome="accepted") > before.get(
        "sends_total", provider="file", outcome="accepted"
    )
    assert after.get("end_to_end_seconds_count") == before.get("end_to_end_seconds_count")


def test_a_dead_job_waits_for_a_person_until_it_is_retried(new_campaign: NewCampaign) -> None:
    dead = ledger.accept(new_campaign().public_id, [{"email": "a@x.test"}])
    with transaction() as session:
        attempts.bury(session, dead.job_number)
    assert told().get("dead_items", stage="apply") == 1

    ledger.retry(dead.job_id)

    assert told().get("dead_items", stage="apply") == 0


def test_leads_that_nothing_will_move_are_unaccounted_for(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    ledger.accept(campaign.public_id, [{"email": "a@x.test"}, {"email": "b@x.test"}])
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)
    assert audited().get("unaccounted_enrollments") == 0

    sql("DELETE FROM send")

    assert audited().get("unaccounted_enrollments") == 2


def audited() -> Samples:
    """Looking from the first lead on, not from anywhere on."""
    exposition.registry.cache_clear()
    sampler = Sampler()
    sampler._audited_to = 0
    values: dict[Any, float] = {(f"enroll_{r.gauge}", frozenset(r.labels.items())): r.value for r in sampler.readings()}
    return Samples(values)


@pytest.mark.usefixtures("store")
def test_with_postgresql_away_the_gauges_are_gone_and_the_counters_are_not() -> None:
    fresh = told()
    with pytest.MonkeyPatch.context() as environment:
        environment.setattr("worker.observability.snapshot._read", raise_store_trouble)
        samples = told()

    assert fresh.has("snapshot_timestamp_seconds")
    assert not samples.has("queue_due_items", stage="apply", queue="enrollment")
    assert samples.has("rows_total", outcome="created")


def raise_store_trouble(_: object) -> None:
    raise OperationalError("", {}, Exception("gone"))


def test_the_series_that_alerts_compare_with_zero_are_there_from_the_start() -> None:
    samples = Samples.of(exposition.generate_latest(instruments.registry).decode())

    for stage in ("accept", "apply", "release", "deliver"):
        for outcome in ("ok", "retry", "dead", "skipped", "expired"):
            assert samples.has("items_finished_total", stage=stage, outcome=outcome)


@pytest.mark.usefixtures("store")
def test_requests_are_told_apart_by_the_pattern_of_their_address_only() -> None:
    asked = client()
    for number in range(3):
        asked.get(f"/v1/campaigns/camp_{number}/stats")
        asked.get(f"/nowhere/{number}")
    samples = told()

    routes = {
        dict(labels)["route"] for name, labels in samples.values if name == "enroll_http_request_duration_seconds_count"
    }
    assert not any("camp_" in route or "nowhere" in route for route in routes)
    assert "/v1/campaigns/{campaign_id}/stats" in routes


@pytest.mark.usefixtures("store")
def test_what_people_do_by_the_page_is_counted_and_what_they_are_refused_too() -> None:
    before = told()
    with page() as admit:
        person = admit(ADMIN)
        assert person.do("/ops/stages/deliver/pause", why="").status_code == 400
        person.done("/ops/stages/deliver/pause", why="provider 5xx")
    after = told()

    def counted(**labels: str) -> float:
        return after.get("operator_actions_total", **labels) - before.get("operator_actions_total", **labels)

    assert counted(action="stage.pause", result="done") == 1
    assert counted(action="stage.pause", result="refused") == 1
    assert after.get("paused", scope="deliver") == 1
