"""Leads and sends put into the store by statements, where bringing them in is not what is measured."""

from worker.bench.database import Connection

# As an applied job leaves them: waiting, and due. Addresses come in no order, as from a file, and none twice:
# 2^31 - 1 is a prime.
_LEADS = """
INSERT INTO lead (campaign_id, email, first_name, company, job_title, custom_variables)
SELECT
    %(campaign)s, 'zoe.' || (n * bigint '48271') %% 2147483647 || '@company' || n %% 4999 || '.example', 'Ana',
    'Company ' || n %% 4999 || ' Ltd', 'Head of Growth',
    jsonb_build_object('useCase', 'onboarding of team ' || n %% 31, 'score', n %% 100, 'newsletter', n %% 2 = 0)
FROM generate_series(1, %(count)s) AS n
"""

# As a release leaves them.
_SENDS = """
WITH released AS (
    UPDATE lead SET status = 'active', position = 1, due_at = NULL WHERE campaign_id = %(campaign)s RETURNING id
)
INSERT INTO send (campaign_id, lead_id, step) SELECT %(campaign)s, id, 1 FROM released ORDER BY id
"""


def fill_with_leads(connection: Connection, campaign: int, count: int) -> None:
    """Add leads that wait for step one."""
    connection.execute(_LEADS, {"campaign": campaign, "count": count})


def fill_with_sends(connection: Connection, campaign: int, count: int) -> None:
    """Add leads whose step one is queued."""
    fill_with_leads(connection, campaign, count)
    connection.execute(_SENDS, {"campaign": campaign})
