"""The outbox: sends claimed for delivery, and what became of them. Delivery writes no other table.

A claim is a token and a lease (`held_until`). Only whoever holds the token may write the outcome, so a worker that
was given up for dead cannot overwrite what its successor did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, text
from sqlmodel import Session, col, select

from domain import send as life_cycle
from domain.errors import SendNotFound
from domain.identifiers import public_id, row_key
from domain.rows import Value
from domain.send import Resolution
from worker import nudges
from worker.store.campaigns import CampaignKey
from worker.store.connection import after_commit, transaction
from worker.store.finding import find
from worker.store.lookups import only_by_index
from worker.store.tables import Campaign, Send
from worker.store.trouble import storable

LEASE_SECONDS = 60


@dataclass(frozen=True, slots=True, eq=False)
class ClaimedSend:
    """One send to hand over, with its template and the lead as it is now; each claim of a send is one of its own."""

    number: int
    send_id: str
    campaign: CampaignKey
    attempts: int
    released_at: datetime
    email: str
    values: Mapping[str, Value]
    subject: str
    body_html: str
    accepted_at: datetime | None = None
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Sends held under one token until the lease ends."""

    token: UUID
    sends: Sequence[ClaimedSend]


# Campaigns in random order, so that a large one does not keep the others waiting.
_CLAIM = text("""
WITH chosen AS (
    SELECT queued.id
    FROM (
        SELECT id FROM campaign
        WHERE status = 'running' AND NOT EXISTS (SELECT FROM stage_pause WHERE stage = 'deliver') ORDER BY random()
    ) AS running
    CROSS JOIN LATERAL (
        SELECT id FROM send
        WHERE campaign_id BETWEEN running.id AND running.id AND status = 'queued' AND held_until <= now()
        ORDER BY campaign_id, id LIMIT :limit
        FOR UPDATE SKIP LOCKED
    ) AS queued
    LIMIT :limit
), claimed AS (
    UPDATE send SET
        claim_token = :token, attempts = attempts + 1,
        held_until = now() + :lease * interval '1 second'
    WHERE id = ANY (ARRAY(SELECT id FROM chosen))
    RETURNING id, created_at, campaign_id, lead_id, step, attempts, accepted_at, trace
)
SELECT
    claimed.id, claimed.created_at, claimed.campaign_id, campaign.created_at AS campaign_created_at,
    claimed.step, claimed.attempts, claimed.accepted_at, claimed.trace,
    lead.email, lead.first_name, lead.company, lead.job_title, lead.custom_variables
FROM claimed
JOIN lead ON lead.id = ANY (ARRAY[claimed.lead_id])
JOIN campaign ON campaign.id = ANY (ARRAY[claimed.campaign_id])
ORDER BY claimed.id
""")

# The last look before the first byte leaves, for a transport whose repetition can be seen.
_BEGIN = text("""
UPDATE send SET status = 'sending', held_until = now() + :lease * interval '1 second'
WHERE id = :number AND status = 'queued' AND claim_token = :token AND held_until > now()
    AND EXISTS (SELECT FROM campaign WHERE campaign.id = send.campaign_id AND campaign.status = 'running')
    AND NOT EXISTS (SELECT FROM stage_pause WHERE stage = 'deliver')
RETURNING id
""")

# `unknown` too: the lease of a slow worker ran out, and now it tells after all.
_FINISH = text("""
UPDATE send SET status = :status, last_error = :reason, finished_at = now(), claim_token = NULL
WHERE id = ANY(:numbers) AND claim_token = :token AND status IN ('queued', 'sending', 'unknown')
""")

_PUT_BACK = text("""
UPDATE send SET status = 'queued', last_error = :reason, claim_token = NULL,
    held_until = now() + :delay * interval '1 second'
WHERE id = ANY(:numbers) AND claim_token = :token AND status IN ('queued', 'sending', 'unknown')
""")

_EXPIRE = text("UPDATE send SET status = 'unknown' WHERE status = 'sending' AND held_until < now()")

_LEAVE_UNKNOWN = text("""
UPDATE send SET status = 'unknown', last_error = :reason
WHERE id = ANY(:numbers) AND claim_token = :token AND status = 'sending'
""")


def claim(session: Session, limit: int) -> Claim:
    """Take up to `limit` queued sends of running campaigns; nobody else gets them while the lease lasts."""
    only_by_index(session)
    token = uuid4()
    rows = session.connection().execute(_CLAIM, {"limit": limit, "token": token, "lease": LEASE_SECONDS}).all()
    steps = _steps(session, {row.campaign_id for row in rows})
    return Claim(token, [_claimed(row, steps[row.campaign_id]) for row in rows])


def begin(session: Session, token: UUID, number: int) -> bool:
    """Commit to sending one message now; False when the claim is lost or the campaign no longer runs."""
    begun = session.connection().execute(_BEGIN, {"number": number, "token": token, "lease": LEASE_SECONDS})
    return begun.one_or_none() is not None


def finish_sent(session: Session, claim: Claim, sends: Sequence[ClaimedSend]) -> None:
    """Write that these were handed over; their enrollments go on."""
    _finish(session, claim, sends, "sent", None)


def finish_failed(session: Session, claim: Claim, sends: Sequence[ClaimedSend], reason: str | None) -> None:
    """Write that these can never be delivered; their enrollments stop."""
    _finish(session, claim, sends, "failed", reason)


def put_back(session: Session, claim: Claim, sends: Sequence[ClaimedSend], reason: str | None) -> None:
    """Queue sends again of which nothing has left; with a reason they wait, longer each time."""
    delay = life_cycle.retry_delay_seconds(max(send.attempts for send in sends)) if reason else 0
    session.connection().execute(
        _PUT_BACK, {"numbers": _numbers(sends), "token": claim.token, "reason": storable(reason), "delay": delay}
    )


def leave_unknown(session: Session, claim: Claim, sends: Sequence[ClaimedSend], reason: str | None) -> None:
    """Write that nobody can tell whether these have left; a person resolves them."""
    session.connection().execute(
        _LEAVE_UNKNOWN, {"numbers": _numbers(sends), "token": claim.token, "reason": storable(reason)}
    )


def expire(session: Session) -> int:
    """Mark sends `unknown` whose worker died between the first byte and the outcome; give how many."""
    return session.connection().execute(_EXPIRE).rowcount


def resolve_send(send_id: str, resolution: Resolution) -> Send:
    """Settle a send whose outcome is unknown: `sent` goes on, `notSent` queues it again."""
    with transaction() as session:
        return resolve(session, send_id, resolution)


def resolve(session: Session, send_id: str, resolution: Resolution, workspace: int | None = None) -> Send:
    """Settle a send as part of the caller's transaction; one of another workspace does not exist (None: all do)."""
    send = _lock_send(session, send_id)
    campaign = session.get_one(Campaign, send.campaign_number)
    if workspace not in {None, campaign.workspace_number}:
        raise SendNotFound(send_id=send_id)
    send.status = life_cycle.resolve(send.status, resolution, send_id=send_id)
    send.claim_token = None
    now = session.connection().execute(select(func.now())).scalar_one()
    send.held_until = now
    send.finished_at = now if send.status == "sent" else None
    after_commit(session, nudges.release, campaign.public_id)
    after_commit(session, nudges.deliver)
    return send


def _finish(session: Session, claim: Claim, sends: Sequence[ClaimedSend], status: str, reason: str | None) -> None:
    session.connection().execute(
        _FINISH, {"numbers": _numbers(sends), "token": claim.token, "status": status, "reason": storable(reason)}
    )
    for campaign in {send.campaign for send in sends}:
        after_commit(session, nudges.release, campaign.public_id)


def _numbers(sends: Sequence[ClaimedSend]) -> list[int]:
    return [send.number for send in sends]


def _steps(session: Session, campaigns: set[int]) -> dict[int, list[dict[str, Any]]]:
    chosen = session.exec(select(Campaign).where(col(Campaign.number).in_(campaigns)))
    return {campaign.number: campaign.sequence_steps for campaign in chosen}


def _claimed(row: Any, steps: Sequence[Mapping[str, Any]]) -> ClaimedSend:
    step = steps[int(row.step) - 1]
    standard = {
        "email": row.email,
        "firstName": row.first_name,
        "company": row.company,
        "jobTitle": row.job_title,
    }
    return ClaimedSend(
        number=row.id,
        send_id=public_id("send", row.id, row.created_at),
        campaign=CampaignKey.of_row(row.campaign_id, row.campaign_created_at),
        attempts=row.attempts,
        released_at=row.created_at,
        email=row.email,
        values={**row.custom_variables, **standard},
        subject=step["subject"],
        body_html=step["bodyHtml"],
        accepted_at=row.accepted_at,
        trace=row.trace,
    )


def _lock_send(session: Session, send_id: str) -> Send:
    found = find(session, Send, row_key("send", send_id), lock=True)
    if found is None:
        raise SendNotFound(send_id=send_id)
    return found
