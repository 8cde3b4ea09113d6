"""The lane of a campaign: whoever holds it is the only one to write its leads.

An advisory lock that ends with its transaction, not a row: it queues its waiters first come, first served, and
trying it never jumps that queue. So the rule that loses no wake-up is short: a nudge waits for the lane once,
for its first transaction; then it only tries, and a try that fails means that somebody who came later has it,
will see all there is, and goes on. With a row lock the holder won every race against its waiters.
"""

from sqlalchemy import text
from sqlmodel import Session

# Advisory locks are shared by everyone in the database: ours start at this number ("enrl" in ASCII).
LANES = 0x656E_726C << 32

_WAIT_FOR_LANE = text("SELECT pg_advisory_xact_lock(:lane)")
_TRY_LANE = text("SELECT pg_try_advisory_xact_lock(:lane)")


def take(session: Session, campaign: int, *, wait: bool) -> bool:
    """Take the lane until the transaction ends. Waiting is bounded by the connection's lock_timeout."""
    lane = {"lane": LANES + campaign}
    if wait:
        session.connection().execute(_WAIT_FOR_LANE, lane)
        return True
    return bool(session.connection().execute(_TRY_LANE, lane).scalar_one())
