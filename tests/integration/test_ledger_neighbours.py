"""Requests that are committed together, and the lane behind a release that fails: nobody suffers for a neighbour."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.database import job_statuses, send_statuses, sql

from domain.job import IdempotencyKey
from worker.enrolling import take_turn
from worker.settings import settings
from worker.store import attempts, campaigns, ledger, releasing
from worker.store.connection import transaction
from worker.store.ledger import Acceptance, Request
from worker.store.tables import Campaign

NewCampaign = Callable[..., Campaign]


class Killed(BaseException):
    """The death of a worker, as far as its transaction can tell."""


def request(campaign: Campaign, email: str, key: str | None = None) -> Request:
    return Request.of(campaign.public_id, [{"email": email}], key and IdempotencyKey("user", key))


def numbers_of(outcomes: Any) -> list[int]:
    return [outcome.job_number for outcome in outcomes if isinstance(outcome, Acceptance)]


def test_requests_with_and_without_keys_get_their_own_jobs_in_order(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    [first] = ledger.accept_together([request(campaign, "old@x.test", "old")])
    keys = [None, "a", "old", None, "a", "b"]
    emails = ["0@x.test", "a@x.test", "old@x.test", "3@x.test", "a@x.test", "b@x.test"]

    outcomes = ledger.accept_together([request(campaign, e, k) for e, k in zip(emails, keys, strict=True)])

    told = [(o.job_number, o.replayed) for o in outcomes if isinstance(o, Acceptance)]
    assert [replayed for _, replayed in told] == [False, False, True, False, True, False]
    assert told[2][0] == numbers_of([first])[0]
    assert told[1][0] == told[4][0]
    new = [number for number, replayed in told if not replayed]
    assert new == sorted(new)
    stored = dict(sql("SELECT id, convert_from(rows, 'UTF8') FROM job"))
    for (number, _), email in zip(told, emails, strict=True):
        assert email in stored[number]


def test_a_job_is_numbered_after_those_before_it_even_where_they_had_to_wait(new_campaign: NewCampaign) -> None:
    """Who waits for a key holds no number that a later entry could overtake with."""
    campaign = new_campaign()
    entries = [request(campaign, f"{n}@x.test", str(n)) for n in range(4)]
    outcomes: list[Any] = []
    with transaction() as holder:
        ledger.accept_within(holder, entries[:1])
        late = threading.Thread(target=lambda: outcomes.extend(ledger.accept_together(entries)))
        late.start()
        while not sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%unnest%'"):
            assert late.is_alive()
        behind = sql("SELECT nextval('job_id_seq')")[0][0]
    late.join()

    assert [n > behind for n in numbers_of(outcomes)] == [False, True, True, True]


def test_a_key_that_somebody_holds_keeps_no_neighbour_from_being_accepted(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    held = request(campaign, "held@x.test", "held")
    outcomes: list[Any] = []

    with transaction() as holder:
        ledger.accept_within(holder, [held])
        together = [request(campaign, "before@x.test"), held, request(campaign, "behind@x.test")]
        others = threading.Thread(target=lambda: outcomes.extend(ledger.accept_together(together)))
        others.start()
        others.join(60)  # the lock's time limit ends it

    assert [type(outcome).__name__ for outcome in outcomes] == ["Acceptance", "OperationalError", "Acceptance"]


def test_one_that_breaks_the_transaction_breaks_it_for_nobody_else(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    broken = Request(**{**_fields(request(campaign, "b@x.test")), "row_errors": b"no JSON"})

    outcomes = ledger.accept_together([request(campaign, "a@x.test"), broken, request(campaign, "c@x.test")])

    assert [isinstance(outcome, Acceptance) for outcome in outcomes] == [True, False, True]
    assert job_statuses(campaign.number) == {"accepted": 2}
    assert ledger.accept_together([]) == []


def _fields(of: Request) -> dict[str, Any]:
    return {name: getattr(of, name) for name in Request.__slots__}


def test_a_release_that_kills_its_worker_keeps_no_job_from_being_applied_or_buried(
    new_campaign: NewCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = new_campaign()
    for n in range(3):
        ledger.accept(campaign.public_id, [{"email": f"{n}@x.test"}])
    campaigns.start_campaign(campaign.public_id)
    first = sql("SELECT min(id) FROM job")[0][0]
    for _ in range(settings().max_attempts):
        attempts.count_attempt([first])
    release = releasing.release

    def die(*_: Any) -> int:
        raise Killed

    monkeypatch.setattr(releasing, "release", die)
    for _ in range(6):
        with pytest.raises(Killed):
            take_turn(campaign.number)

    assert job_statuses(campaign.number) == {"applied": 2, "dead": 1}
    monkeypatch.setattr(releasing, "release", release)
    take_turn(campaign.number)
    assert send_statuses(campaign.number) == {"queued": 2}


def test_a_release_that_fails_keeps_no_job_behind_it_waiting(
    new_campaign: NewCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.enrolling.BATCH_JOBS", 10)
    campaign = new_campaign()
    for n in range(25):
        ledger.accept(campaign.public_id, [{"email": f"{n}@x.test"}])
    campaigns.start_campaign(campaign.public_id)

    def fail(*_: Any) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(releasing, "release", fail)
    with pytest.raises(ZeroDivisionError):
        take_turn(campaign.number)

    assert job_statuses(campaign.number) == {"applied": 25}


def test_a_failure_that_is_no_jobs_is_raised_instead_of_tried_for_ever(
    new_campaign: NewCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = new_campaign()
    ledger.accept(campaign.public_id, [{"email": "a@x.test"}])
    monkeypatch.setattr(ledger, "oldest_accepted", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        take_turn(campaign.number)


def test_many_jobs_for_one_lead_are_applied_in_order_by_several_transactions(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    for n in range(40):
        ledger.accept(campaign.public_id, [{"email": "one@x.test", "n": n}])

    take_turn(campaign.number)

    assert sql("SELECT count(DISTINCT finished_at) > 2, sum(created), sum(updated) FROM job") == [(True, 1, 39)]
    assert sql("SELECT custom_variables FROM lead") == [({"n": 39},)]
    assert sql("SELECT DISTINCT status, attempts FROM job") == [("applied", 1)]


def test_a_lane_knows_how_much_its_jobs_are(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    ledger.accept(campaign.public_id, [{"email": f"{number}@x.test", "n": "é" * 1_000} for number in range(3)])

    with transaction() as session:
        [waiting] = ledger.oldest_accepted(session, campaign.number, 10)
    assert (waiting.rows, waiting.bytes) == (3, sql("SELECT octet_length(rows) FROM job")[0][0])
    assert waiting.bytes > 6_000
