"""Who is the one active reader of the stream: the holder of an advisory lock that ends with its transaction.

PostgreSQL gives it back at once when its holder dies, and after seconds when its holder is frozen. A lease in Redis
would end by the clock alone, and be gone with FLUSHALL.
"""

from sqlalchemy import text
from sqlmodel import Session

# The pairs of integers are numbers of their own beside those of the lanes ("enrl" in ASCII, and the stream). The
# holder is idle in its transaction while it waits for entries, 1.5 s at most, and while it commits their jobs in
# another one; a frozen one is out after 10 s instead of the usual 15.
_TRY = text(
    "SELECT pg_try_advisory_xact_lock(x'656e726c'::int, 1),"
    " set_config('idle_in_transaction_session_timeout', '10s', true)"
)


def take(session: Session) -> bool:
    """Become the active reader until the transaction ends; False when another one is."""
    taken, _ = session.connection().execute(_TRY).one()
    return bool(taken)
