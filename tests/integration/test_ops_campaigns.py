"""How far a campaign is, and what the transport answered, on the operations page."""

from collections.abc import Callable
from importlib import import_module

from support.database import sql
from support.ops import VIEWER, Person, link, number, total
from support.ops_scene import running

from worker import tasks
from worker.enrolling import take_turn
from worker.store import campaigns
from worker.store.tables import Campaign


def test_how_far_a_campaign_is_equals_sql(let_in: Callable[..., Person], new_campaign: Callable[..., Campaign]) -> None:
    campaign = running(new_campaign, 0, 3, leads=9)
    sql("UPDATE send SET status = 'failed', last_error = '550 no such user', finished_at = now() WHERE lead_id < 3")
    sql("UPDATE send SET status = 'sent', finished_at = now() WHERE lead_id BETWEEN 3 AND 6")
    take_turn(campaign.number)
    viewer = let_in(VIEWER)
    assert "4 of 16, 2 failed, 10 to come" in viewer.read("/ops"), "nobody gets step two after step one failed"
    assert " a minute, done in " in viewer.read("/ops").split("Campaigns in flight")[1]

    campaigns.pause_campaign(campaign.public_id)
    assert "4 of 16, 2 failed, 10 held" in viewer.read("/ops")

    sql("UPDATE campaign_minute SET minute = minute - interval '2 h'")
    tasks.sweep()
    assert sql("SELECT enrolled, released, sent, failed, given_up, minute < 'today' FROM campaign_minute") == [
        (9, 9, 4, 2, 2, True)
    ]
    shown = viewer.read("/ops").split("Campaigns in flight")[1]
    assert "4 of 16, 2 failed, 10 held \N{EN DASH}" in shown, "nothing moves any more"


def test_what_the_transport_answered_is_grouped_and_each_number_lists_its_sends(
    let_in: Callable[..., Person], new_campaign: Callable[..., Campaign]
) -> None:
    campaign, other = running(new_campaign, leads=7), running(new_campaign, leads=3)
    sql("UPDATE send SET status = 'failed', last_error = '550 no user ' || id, finished_at = now() WHERE id % 2 = 0")
    sql("UPDATE send SET status = 'unknown', last_error = 'TimeoutError: x' WHERE id % 7 = 1")
    sql("UPDATE send SET status = 'sent' WHERE id = 3")
    viewer = let_in(VIEWER)
    for of in (campaign, other):
        shown = viewer.see(f"/ops/campaigns/{of.public_id}")
        by_hand = "SELECT status, count(*) FROM send WHERE campaign_id = :c GROUP BY 1"
        counts = dict(map(tuple, sql(by_hand, c=of.number)))
        for status in ("sent", "failed", "unknown"):
            assert number(shown, f"sends-{status}") == str(counts.get(status, 0))
            assert total(viewer.see(link(shown, f"sends-{status}"))) == str(counts.get(status, 0))
        groups = shown.split("What the transport answered")[1].split("</table>")[0].split("<tr>")[2:]
        assert len(groups) == 2
        for group in groups:
            counted, where = group.split("</a>")[0].rpartition(">")[2], group.split('href="')[1].split('"')[0]
            assert total(viewer.see(where.replace("&amp;", "&"))) == counted
    assert total(viewer.see(f"/ops/sends?error=TimeoutError&campaign={campaign.public_id}")) == "1"


def test_what_was_there_before_the_counting_began_is_counted_by_the_migration(
    new_campaign: Callable[..., Campaign],
) -> None:
    for leads in (9, 5):
        campaign = running(new_campaign, 0, 3, leads=leads)
        sql("UPDATE send SET status = 'failed', finished_at = now() WHERE id % 3 = 0")
        sql("UPDATE send SET status = 'sent', finished_at = now() WHERE id % 3 = 1")
        take_turn(campaign.number)
    counted = (
        "SELECT campaign_id, sum(enrolled), sum(released), sum(sent), sum(failed), sum(given_up)"
        " FROM campaign_minute GROUP BY 1 ORDER BY 1"
    )
    as_it_went = sql(counted)
    sql("DROP TABLE campaign_minute")
    for statement in import_module("worker.migrations.versions.0009_progress")._CAMPAIGN_MINUTE.split(";")[:-1]:
        sql(statement)
    assert sql(counted) == as_it_went
