"""What becomes of a send with transports that may and may not repeat, that refuse, break and die."""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import Store
from support.database import send_statuses, sql

from domain.errors import SendNotFound, SendNotUnknown
from domain.identifiers import public_id
from worker.delivering import deliver_turn
from worker.enrolling import take_turn
from worker.store import campaigns, ledger, outbox
from worker.store.connection import transaction
from worker.store.tables import Campaign
from worker.transport import Message, Rejected, TransportUnavailable, open_transport

NewCampaign = Callable[..., Campaign]


class Killed(BaseException):
    """The worker dies here."""


class TestTransport:
    """Remembers what left; `trouble` decides for each message what happens instead."""

    __test__ = False

    def __init__(self, *, repeatable: bool, trouble: Callable[[Message], None] | None = None) -> None:
        self.repeatable = repeatable
        self.left: list[Message] = []
        self._trouble = trouble or (lambda _: None)

    def deliver(self, message: Message) -> None:
        self._trouble(message)
        self.left.append(message)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""


def failing(error: BaseException, to: str) -> Callable[[Message], None]:
    def fail(message: Message) -> None:
        if message.to == to:
            raise error

    return fail


@pytest.fixture
def running(new_campaign: NewCampaign) -> Campaign:
    """A running campaign of two steps, the second two days later, with three queued sends."""
    campaign = new_campaign(0, 2)
    ledger.accept(campaign.public_id, [{"email": f"{n}@x.test", "firstName": f"N{n}"} for n in range(3)])
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)
    return campaign


def enrollments(campaign: Campaign) -> list[tuple[Any, ...]]:
    rows = sql("SELECT status, position, stop_reason FROM lead WHERE campaign_id = :c ORDER BY id", c=campaign.number)
    return [tuple(row) for row in rows]


def reap(seconds: int = 3_600) -> None:
    """Let time pass for leases and back-offs, then do what the sweep does."""
    sql("UPDATE send SET held_until = held_until - make_interval(secs => :s)", s=seconds)
    with transaction() as session:
        outbox.expire(session)


@pytest.mark.parametrize("repeatable", [True, False])
def test_every_queued_send_leaves_once_and_its_enrollment_goes_on(running: Campaign, *, repeatable: bool) -> None:
    transport = TestTransport(repeatable=repeatable)

    deliver_turn(transport)
    deliver_turn(transport)
    take_turn(running.number)

    assert sorted((message.to, message.subject) for message in transport.left) == [
        (f"{n}@x.test", f"Step 1 for N{n}") for n in range(3)
    ]
    assert send_statuses(running.number) == {"sent": 3}
    assert enrollments(running) == [("active", 1, None)] * 3
    days = sql("SELECT round(extract(epoch FROM min(due_at) - now()) / 86400) FROM lead")
    assert days == [(2,)]


def test_after_the_last_step_an_enrollment_is_completed(running: Campaign) -> None:
    transport = TestTransport(repeatable=True)
    deliver_turn(transport)
    take_turn(running.number)
    sql("UPDATE lead SET due_at = now()")
    take_turn(running.number)
    deliver_turn(transport)
    take_turn(running.number)

    assert enrollments(running) == [("completed", 2, None)] * 3
    assert len({message.send_id for message in transport.left}) == 6


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_rejected_send_fails_and_stops_its_enrollment_alone(running: Campaign, *, repeatable: bool) -> None:
    transport = TestTransport(repeatable=repeatable, trouble=failing(Rejected("no such mailbox"), "1@x.test"))

    deliver_turn(transport)
    take_turn(running.number)

    assert send_statuses(running.number) == {"sent": 2, "failed": 1}
    assert enrollments(running) == [("active", 1, None), ("stopped", 1, "failed"), ("active", 1, None)]
    assert sql("SELECT last_error FROM send WHERE status = 'failed'") == [("no such mailbox",)]


@pytest.mark.parametrize("repeatable", [True, False])
def test_an_unavailable_transport_puts_sends_back_and_they_leave_later(running: Campaign, *, repeatable: bool) -> None:
    transport = TestTransport(repeatable=repeatable, trouble=failing(TransportUnavailable("no route"), "0@x.test"))

    deliver_turn(transport)
    assert transport.left == []
    assert send_statuses(running.number) == {"queued": 3}
    deliver_turn(TestTransport(repeatable=repeatable, trouble=failing(AssertionError("too early"), "0@x.test")))
    reap()
    later = TestTransport(repeatable=repeatable)
    deliver_turn(later)

    assert len(later.left) == 3
    assert send_statuses(running.number) == {"sent": 3}


def test_a_worker_that_dies_leaves_a_send_that_cannot_be_repeated_unknown(running: Campaign) -> None:
    transport = TestTransport(repeatable=False, trouble=failing(Killed(), "1@x.test"))
    with pytest.raises(Killed):
        deliver_turn(transport)
    assert send_statuses(running.number) == {"sent": 1, "sending": 1, "queued": 1}

    reap()
    survivor = TestTransport(repeatable=False)
    deliver_turn(survivor)
    take_turn(running.number)

    assert [message.to for message in survivor.left] == ["2@x.test"]
    assert send_statuses(running.number) == {"sent": 2, "unknown": 1}
    assert enrollments(running)[1] == ("active", 1, None), "an unknown send holds its enrollment where it is"


def test_a_worker_that_dies_repeats_a_send_that_may_be_repeated(running: Campaign) -> None:
    with pytest.raises(Killed):
        deliver_turn(TestTransport(repeatable=True, trouble=failing(Killed(), "1@x.test")))

    reap()
    survivor = TestTransport(repeatable=True)
    deliver_turn(survivor)

    assert len(survivor.left) == 3
    assert send_statuses(running.number) == {"sent": 3}


def test_an_error_nobody_foresaw_leaves_a_send_unknown_where_it_may_have_left(running: Campaign) -> None:
    deliver_turn(TestTransport(repeatable=False, trouble=failing(OSError("broken pipe"), "1@x.test")))

    assert send_statuses(running.number) == {"sent": 2, "unknown": 1}


@pytest.mark.parametrize(("resolution", "then"), [("sent", {"sent": 3}), ("notSent", {"sent": 2, "queued": 1})])
def test_a_person_resolves_an_unknown_send(running: Campaign, resolution: Any, then: dict[str, int]) -> None:
    deliver_turn(TestTransport(repeatable=False, trouble=failing(OSError("broken pipe"), "1@x.test")))
    unknown = sql("SELECT id, created_at FROM send WHERE status = 'unknown'")[0]
    send_id = public_id("send", *unknown)

    outbox.resolve_send(send_id, resolution)

    assert send_statuses(running.number) == then
    with pytest.raises(SendNotUnknown):
        outbox.resolve_send(send_id, resolution)
    again = TestTransport(repeatable=False)
    deliver_turn(again)
    assert len(again.left) == then.get("queued", 0)


@pytest.mark.usefixtures("store")
def test_only_a_send_that_exists_can_be_resolved() -> None:
    with pytest.raises(SendNotFound):
        outbox.resolve_send("send_00000000000000000000000001", "sent")


@pytest.mark.parametrize("repeatable", [True, False])
def test_a_paused_campaign_holds_its_queued_sends(running: Campaign, *, repeatable: bool) -> None:
    campaigns.pause_campaign(running.public_id)
    transport = TestTransport(repeatable=repeatable)
    deliver_turn(transport)
    assert transport.left == []

    campaigns.start_campaign(running.public_id)
    deliver_turn(transport)

    assert len(transport.left) == 3


def test_a_pause_between_claim_and_first_byte_holds_the_send(running: Campaign) -> None:
    def pause_after_first(message: Message) -> None:
        if message.to == "0@x.test":
            campaigns.pause_campaign(running.public_id)

    transport = TestTransport(repeatable=False, trouble=pause_after_first)
    deliver_turn(transport)

    assert [message.to for message in transport.left] == ["0@x.test"]
    assert send_statuses(running.number) == {"sent": 1, "queued": 2}


def test_a_worker_given_up_for_dead_cannot_overwrite_what_its_successor_wrote(running: Campaign) -> None:
    with transaction() as session:
        slow = outbox.claim(session, 10)
    reap()
    deliver_turn(TestTransport(repeatable=True))

    with transaction() as session:
        outbox.finish_failed(session, slow, slow.sends, "too late")

    assert send_statuses(running.number) == {"sent": 3}


def test_a_worker_given_up_for_dead_cannot_touch_what_its_successor_has_in_hand(running: Campaign) -> None:
    with transaction() as session:
        slow = outbox.claim(session, 10)
    reap()
    with transaction() as session:
        successor = outbox.claim(session, 10)
        assert outbox.begin(session, successor.token, successor.sends[0].number)
    in_hand = sql("SELECT * FROM send ORDER BY id")

    with transaction() as session:
        outbox.leave_unknown(session, slow, slow.sends, "too late")
        outbox.put_back(session, slow, slow.sends, "too late")
        outbox.finish_failed(session, slow, slow.sends, "too late")
        outbox.finish_sent(session, slow, slow.sends)
        assert not outbox.begin(session, slow.token, slow.sends[1].number)

    assert send_statuses(running.number) == {"sending": 1, "queued": 2}
    assert sql("SELECT * FROM send ORDER BY id") == in_hand


def test_a_template_takes_values_as_values(store: Store, new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    evil = {"email": "evil@x.test", "firstName": "=?UTF-8?Q?=0A?=Bcc: all@x.test\r\nBcc: b@x.test {{email}} <b>"}
    ledger.accept(campaign.public_id, [evil, {"email": "neighbour@x.test"}])
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)

    deliver_turn(open_transport(f"file://{store.outbox}"))

    mails = [mail.read_bytes() for mail in store.outbox.glob("*.eml")]
    assert len(mails) == 2
    hostile = next(mail for mail in mails if b"To: evil@x.test" in mail)
    header, _, body = hostile.partition(b"\r\n\r\n")
    assert b"\nBcc" not in header
    assert b"{{email}}" in body
    assert b"&lt;b&gt;" in body
