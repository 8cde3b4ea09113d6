"""What the hot paths cost, counted: statements, commits, calls of functions. Speed is measured by `enroll bench`.

The limits are what was counted when a path was last made cheaper. Who makes it cheaper again lowers them; who makes it
dearer has to raise them here, and so to say that it is worth that.
"""

import json
import math
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from conftest import Store
from support.cost import calls_of, counted_statements
from support.database import send_statuses

from domain.bulk_upsert import Limits, leads_of_body
from worker import delivering, enrolling
from worker.delivering import deliver_turn
from worker.enrolling import take_turn
from worker.store import campaigns, connection, ledger
from worker.store.tables import Campaign
from worker.transport import open_transport

NewCampaign = Callable[..., Campaign]
Lead = dict[str, Any]

FEW, MANY = 20, 1_000
# Python 3.12 made comprehensions part of their function, and libraries change, too.
TOLERANCE = 1.1
CALLS_FOR_500_LEADS = 30_630

_numbers = count()


class Paths:
    """The hot paths; each prepares `rows` of work and gives what does it."""

    def __init__(self, store: Store, new_campaign: NewCampaign) -> None:
        self._store = store
        self._new_campaign = new_campaign

    def accept(self, rows: int) -> Callable[[], object]:
        campaign, leads = self._new_campaign(), some_leads(rows)
        return lambda: ledger.accept(campaign.public_id, leads)

    def accept_together(self, rows: int) -> Callable[[], object]:
        campaign = self._new_campaign()
        requests = [ledger.Request.of(campaign.public_id, [lead]) for lead in some_leads(rows)]
        return lambda: ledger.accept_together(requests)

    def apply(self, rows: int) -> Callable[[], object]:
        """The turn in which one job is applied, half of its leads being known."""
        campaign, leads = self._new_campaign(), some_leads(rows)
        ledger.accept(campaign.public_id, leads[: rows // 2])
        take_turn(campaign.number)
        ledger.accept(campaign.public_id, [{**lead, "score": 1} for lead in leads])
        return lambda: take_turn(campaign.number)

    def apply_many_jobs(self, rows: int) -> Callable[[], object]:
        """The turn in which a tenth as many jobs are applied, as one batch."""
        campaign, leads = self._new_campaign(), some_leads(rows)
        for start in range(0, rows, 10):
            ledger.accept(campaign.public_id, leads[start : start + 10])
        return lambda: take_turn(campaign.number)

    def release(self, rows: int) -> Callable[[], object]:
        campaign = self._enrolled(rows)
        return lambda: take_turn(campaign.number)

    def deliver(self, rows: int) -> Callable[[], object]:
        """The turn in which a batch is claimed, written and noted: a batch holds at most 100."""
        campaign, sends = self._enrolled(rows // 10), rows // 10
        take_turn(campaign.number)

        def work() -> None:
            transport = open_transport(self._store.outbox.as_uri())
            deliver_turn(transport)
            transport.close()
            assert send_statuses(campaign.number) == {"sent": sends}

        return work

    def _enrolled(self, rows: int) -> Campaign:
        campaign = self._new_campaign()
        ledger.accept(campaign.public_id, some_leads(rows))
        take_turn(campaign.number)
        campaigns.start_campaign(campaign.public_id)
        return campaign


@pytest.fixture(autouse=True)
def _on_a_slow_machine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn ends before its work, and no connection is asked whether it still lives."""
    monkeypatch.setattr(enrolling, "TURN_SECONDS", math.inf)
    monkeypatch.setattr(delivering, "TURN_SECONDS", math.inf)
    monkeypatch.setattr(connection, "_TRUSTED_SECONDS", math.inf)


LIMITS = {
    "accept": {"statements": 2, "commits": 1},
    "accept_together": {"statements": 2, "commits": 1},
    "apply": {"statements": 8, "commits": 2},
    "apply_many_jobs": {"statements": 8, "commits": 2},
    "release": {"statements": 7, "commits": 1},
    "deliver": {"statements": 13, "commits": 4},
}


@pytest.mark.parametrize("path", LIMITS)
def test_a_batch_takes_as_many_statements_whatever_the_number_of_rows(
    path: str, store: Store, new_campaign: NewCampaign
) -> None:
    prepare = getattr(Paths(store, new_campaign), path)
    cost_of(prepare(FEW))  # connections are made

    few, many = cost_of(prepare(FEW)), cost_of(prepare(MANY))

    assert few == many
    for kind, at_most in LIMITS[path].items():
        assert many[kind] <= at_most, f"{kind} of {path}"


def test_reading_and_judging_500_leads_takes_no_more_calls_than_it_did() -> None:
    body = json.dumps({"leads": some_leads(500)}).encode()

    def judge() -> None:
        ledger.Request.of("camp_01hx4mrqpbcn7wh2gfk9yz6e3s", leads_of_body(body, Limits()))

    judge()  # modules are loaded, caches filled

    assert calls_of(judge) <= CALLS_FOR_500_LEADS * TOLERANCE


def cost_of(work: Callable[[], object]) -> dict[str, int]:
    with counted_statements() as counted:
        work()
    return dict(counted)


def some_leads(rows: int) -> list[Lead]:
    """Email, three standard fields, three custom variables; new ones each time."""
    return [
        {
            "email": f"lead.{next(_numbers)}@example.test",
            "firstName": "Zoë",
            "company": "Voltmetrics",
            "jobTitle": "VP of Sales",
            "useCase": "pipeline generation",
            "score": 0,
            "newsletter": True,
        }
        for _ in range(rows)
    ]
