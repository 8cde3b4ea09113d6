"""Delivery: queued sends claimed in batches, handed to the transport, and their outcomes written."""

import logging
from collections import Counter
from collections.abc import Mapping
from enum import Enum, auto
from time import monotonic
from typing import NamedTuple

from sqlmodel import Session

from domain.personalization import render_html, render_subject, render_text
from domain.plain_text import plain_text
from worker import nudges
from worker.observability import context, record, tracing
from worker.observability.labels import ErrorClass, SendOutcome
from worker.patience import until_done
from worker.settings import settings
from worker.store import outbox, stages
from worker.store.connection import transaction
from worker.store.outbox import Claim, ClaimedSend
from worker.store.stages import Items
from worker.telemetry import where_and_what
from worker.transport import Message, Rejected, Transport, TransportUnavailable

BATCH = 100
TURN_SECONDS = 2.0

log = logging.getLogger(__name__)


class Fate(Enum):
    """What can become of a claimed send."""

    SENT = auto()
    FAILED = auto()
    UNKNOWN = auto()
    PUT_BACK = auto()
    TRANSPORT_UNAVAILABLE = auto()


_COUNTED_AS: Mapping[Fate, stages.Outcome] = {
    Fate.SENT: "done",
    Fate.FAILED: "failed",
    Fate.UNKNOWN: "failed",
    Fate.PUT_BACK: "retried",
    Fate.TRANSPORT_UNAVAILABLE: "retried",
}


_TOLD_AS: Mapping[Fate, SendOutcome] = {Fate.SENT: "accepted", Fate.FAILED: "failed", Fate.UNKNOWN: "unknown"}


class Outcome(NamedTuple):
    """What became of one send, and why if it did not leave."""

    fate: Fate
    reason: str | None = None


def deliver_turn(transport: Transport) -> bool:
    """Deliver batch after batch; True when the turn was over before the queue was empty."""
    deadline = monotonic() + TURN_SECONDS
    while (claimed := until_done(_claim)).sends:
        if len(claimed.sends) == BATCH:
            nudges.deliver()  # there may be more than one worker can take
        deliver = _deliver_together if transport.repeatable else _deliver_one_by_one
        if not deliver(transport, claimed):
            return False  # claiming more would only put them back
        if monotonic() >= deadline:
            return True
    return False


def _claim() -> Claim:
    with transaction() as session:
        claimed = outbox.claim(session, BATCH)
    record.claimed(send.released_at for send in claimed.sends if send.attempts == 1)
    return claimed


def _deliver_together(transport: Transport, claimed: Claim) -> bool:
    """Repeating a send is harmless: all are handed over, flushed once and written once. False: there is no way out."""
    outcomes: dict[ClaimedSend, Outcome] = {}
    outcome, began = Outcome(Fate.SENT), monotonic()
    for send in claimed.sends:
        if outcome.fate is not Fate.TRANSPORT_UNAVAILABLE:
            outcome = _hand_over(transport, send, if_unexpected=Fate.PUT_BACK)
        outcomes[send] = outcome
    written = _flushed(transport, outcomes)
    _write(claimed, written, began)
    return all(outcome.fate is not Fate.TRANSPORT_UNAVAILABLE for outcome in written.values())


def _deliver_one_by_one(transport: Transport, claimed: Claim) -> bool:
    """Repeating a send can be seen: `sending` is committed before its first byte, its outcome right after."""
    outcome = Outcome(Fate.SENT)
    for send in claimed.sends:
        began = monotonic()
        if outcome.fate is not Fate.TRANSPORT_UNAVAILABLE:
            outcome = _deliver_alone(transport, claimed, send)
        _write(claimed, {send: outcome}, began)
    return outcome.fate is not Fate.TRANSPORT_UNAVAILABLE


def _deliver_alone(transport: Transport, claimed: Claim, send: ClaimedSend) -> Outcome:
    if not until_done(lambda: _begin(claimed, send)):
        return Outcome(Fate.PUT_BACK)
    outcome = _hand_over(transport, send, if_unexpected=Fate.UNKNOWN)
    return _flushed(transport, {send: outcome})[send]


def _begin(claimed: Claim, send: ClaimedSend) -> bool:
    with transaction() as session:
        begun = outbox.begin(session, claimed.token, send.number)
    if not begun:
        record.duplicate_prevented()
    return begun


def _hand_over(transport: Transport, send: ClaimedSend, *, if_unexpected: Fate) -> Outcome:
    if send.trace is None:
        return _hand_over_untraced(transport, send, if_unexpected=if_unexpected)
    with tracing.span("deliver", send.trace, send=send.send_id, campaign=send.campaign.public_id):
        return _hand_over_untraced(transport, send, if_unexpected=if_unexpected)


def _hand_over_untraced(transport: Transport, send: ClaimedSend, *, if_unexpected: Fate) -> Outcome:
    fate_of_an_error = Fate.PUT_BACK
    try:
        message = _compose(send)
        fate_of_an_error = if_unexpected
        transport.deliver(message)
    except Rejected as rejection:
        return Outcome(Fate.FAILED, str(rejection))
    except TransportUnavailable as trouble:
        return Outcome(Fate.TRANSPORT_UNAVAILABLE, str(trouble))
    except Exception as error:  # noqa: BLE001  # a transport may fail in any way; none may hold up the others
        context.about(campaign_id=send.campaign.public_id)
        log.error("send %s could not be handed over: %s", send.send_id, where_and_what(error))
        return Outcome(fate_of_an_error, f"{type(error).__name__}: {error}")
    return Outcome(Fate.SENT)


def _flushed(transport: Transport, outcomes: Mapping[ClaimedSend, Outcome]) -> Mapping[ClaimedSend, Outcome]:
    try:
        transport.flush()
    except TransportUnavailable as trouble:
        lost = Outcome(Fate.TRANSPORT_UNAVAILABLE, str(trouble))
        return {send: lost if outcome.fate is Fate.SENT else outcome for send, outcome in outcomes.items()}
    return outcomes


def _write(claimed: Claim, outcomes: Mapping[ClaimedSend, Outcome], began: float) -> None:
    """Messages have left: what became of them is written however long that takes."""

    def write() -> None:
        with transaction() as session:
            for outcome in set(outcomes.values()):
                alike = [send for send in claimed.sends if outcomes.get(send) == outcome]
                _write_alike(session, claimed, alike, outcome)
            stages.add_up(session, "deliver", _items(outcomes), monotonic() - began)

    until_done(write, even_when_stopping=True)
    _tell(outcomes, began)


def _tell(outcomes: Mapping[ClaimedSend, Outcome], began: float) -> None:
    sent = [send.accepted_at for send, outcome in outcomes.items() if outcome.fate is Fate.SENT and send.accepted_at]
    fates = Counter[SendOutcome](_TOLD_AS[outcome.fate] for outcome in outcomes.values() if outcome.fate in _TOLD_AS)
    record.delivered(began, fates, sent)
    for error_class, retried in Counter[ErrorClass | None](
        _error_class(outcome) for outcome in outcomes.values()
    ).items():
        if error_class:
            record.failed("deliver", error_class, retried)


def _error_class(outcome: Outcome) -> ErrorClass | None:
    """Tell what was wrong with sends that are tried again. Without a reason nothing was: the claim was lost."""
    if outcome.fate is Fate.TRANSPORT_UNAVAILABLE:
        return "transport"
    return "internal" if outcome.fate is Fate.PUT_BACK and outcome.reason else None


def _items(outcomes: Mapping[ClaimedSend, Outcome]) -> list[Items]:
    return [Items(send.campaign.number, send.released_at, _COUNTED_AS[o.fate]) for send, o in outcomes.items()]


def _write_alike(session: Session, claimed: Claim, sends: list[ClaimedSend], outcome: Outcome) -> None:
    match outcome.fate:
        case Fate.SENT:
            outbox.finish_sent(session, claimed, sends)
        case Fate.FAILED:
            outbox.finish_failed(session, claimed, sends, outcome.reason)
        case Fate.UNKNOWN:
            outbox.leave_unknown(session, claimed, sends, outcome.reason)
        case Fate.PUT_BACK | Fate.TRANSPORT_UNAVAILABLE:
            outbox.put_back(session, claimed, sends, outcome.reason)


def _compose(send: ClaimedSend) -> Message:
    return Message(
        send_id=send.send_id,
        mail_from=settings().mail_from,
        to=send.email,
        subject=render_subject(send.subject, send.values),
        html=render_html(send.body_html, send.values),
        text=render_text(plain_text(send.body_html), send.values),
        date=send.released_at,
    )
