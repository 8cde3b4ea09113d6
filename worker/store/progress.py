"""How far campaigns are: counted minute by minute in their lanes, by the statements of the work itself.

Counting the leads of a campaign takes 0.3 s a million, for each campaign on the first screen; these rows are an hour's
at most. `merging` adds who is enrolled, `releasing` what is released and settled.
"""

from sqlalchemy import text
from sqlmodel import Session

# The lane writes the rows of this minute only, so that nobody waits here for anybody.
_FOLD = text("""
WITH past AS (
    DELETE FROM campaign_minute WHERE minute > 'epoch' AND minute < now() - interval '1 hour' RETURNING *
)
INSERT INTO campaign_minute AS so_far (campaign_id, minute, enrolled, released, sent, failed, given_up, released_at)
SELECT
    campaign_id, 'epoch', sum(enrolled), sum(released), sum(sent), sum(failed), sum(given_up), max(released_at)
FROM past GROUP BY campaign_id
ON CONFLICT (campaign_id, minute) DO UPDATE SET
    enrolled = so_far.enrolled + excluded.enrolled, released = so_far.released + excluded.released,
    sent = so_far.sent + excluded.sent, failed = so_far.failed + excluded.failed,
    given_up = so_far.given_up + excluded.given_up,
    released_at = greatest(so_far.released_at, excluded.released_at)
""")


def fold(session: Session) -> None:
    """Add up what is older than an hour, in one row a campaign."""
    session.connection().execute(_FOLD)
