"""The bytes of jobs: what was accepted in the earlier format is turned into today's."""

from collections.abc import Callable
from importlib import import_module

from support.database import sql

from worker.store import ledger
from worker.store.tables import Campaign

LEADS = [
    {"email": "b@x.test", "firstName": "a\tb\n\\N", "company": None, "quote": '"é"'},
    {"email": "a@x.test"},
    {"email": "c@x.test", "jobTitle": "", "n": 1, "gone": None},
]
EARLIER = r"""
0	b@x.test	11	a\tb\n\sN	\N		{"quote":"\s"é\s""}
1	a@x.test	0				{}
2	c@x.test	28				{"n":1,"gone":null}
""".lstrip()


def test_the_rows_of_jobs_accepted_before_are_turned_by_the_migration(new_campaign: Callable[..., Campaign]) -> None:
    campaign = new_campaign()
    for leads in (LEADS, LEADS[1:], [{"email": "no address"}]):
        ledger.accept(campaign.public_id, leads)
    rows = sql("SELECT id, rows FROM job ORDER BY id")

    lines = EARLIER.splitlines(keepends=True)
    for (number, _), earlier in zip(rows, (lines, lines[1:], []), strict=True):
        sql("UPDATE job SET rows = :rows WHERE id = :id", rows="".join(earlier).encode(), id=number)
    sql(import_module("worker.migrations.versions.0010_rows_by_column")._TURN_ROWS)

    turned = sql("SELECT id, rows FROM job ORDER BY id")
    assert turned[:2] == rows[:2]
    assert turned[2][1] == b"", "a job without leads has nothing to turn"
