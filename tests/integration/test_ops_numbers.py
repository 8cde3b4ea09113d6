"""What the operations page shows equals SQL, and what a number leads to lists exactly its rows."""

import html
import json
import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from support.database import sql
from support.ops import ADMIN, VIEWER, Person, link, number, text_of, total
from support.ops_scene import make_scene, running

from worker import tasks
from worker.enrolling import take_turn
from worker.store import attempts, campaigns, ledger, outbox
from worker.store.connection import engine, transaction
from worker.store.tables import Campaign
from worker.store.workers import Sign, say_alive

BY_HAND = {
    "apply-due": "SELECT count(*) FROM job WHERE status = 'accepted'",
    "failing": "SELECT count(*) FROM job WHERE status = 'accepted' AND last_error IS NOT NULL",
    "dead": "SELECT count(*) FROM job WHERE status = 'dead'",
    "unknown": "SELECT count(*) FROM send WHERE status = 'unknown'",
    "release-due": "SELECT count(*) FROM lead JOIN campaign ON campaign.id = campaign_id"
    " WHERE due_at <= now() AND campaign.status = 'running'",
    "release-later": "SELECT count(*) FROM lead WHERE due_at > now()",
    "release-held": "SELECT count(*) FROM lead JOIN campaign ON campaign.id = campaign_id"
    " WHERE due_at <= now() AND campaign.status = 'paused'",
    "deliver-due": "SELECT count(*) FROM send JOIN campaign ON campaign.id = campaign_id"
    " WHERE send.status = 'queued' AND held_until <= now() AND campaign.status = 'running'",
    "apply-retrying": "SELECT count(*) FROM job WHERE status = 'accepted' AND last_error IS NOT NULL",
    "deliver-retrying": "SELECT count(*) FROM send WHERE status = 'queued' AND last_error IS NOT NULL",
    "retrying": "SELECT count(*) FROM send WHERE status = 'queued' AND last_error IS NOT NULL",
    "deliver-running": "SELECT count(*) FROM send WHERE claim_token IS NOT NULL AND held_until > now()",
    "deliver-held": "SELECT count(*) FROM send JOIN campaign ON campaign.id = campaign_id"
    " WHERE send.status = 'queued' AND campaign.status = 'paused'",
}


FAILED = "last_error = 'TransportUnavailable: no answer', attempts = 3"


def make_busy_scene() -> None:
    """Something at every place."""
    make_scene()
    sql("UPDATE job SET last_error = 'RuntimeError: x' WHERE id = (SELECT max(id) FROM job WHERE status = 'accepted')")
    sql("UPDATE lead SET due_at = now() WHERE id IN (SELECT id FROM lead WHERE status = 'active' ORDER BY id LIMIT 5)")
    sql("UPDATE lead SET due_at = now() + interval '1 day' WHERE id IN (SELECT id FROM lead ORDER BY id DESC LIMIT 2)")
    sql(
        "UPDATE lead SET due_at = now() WHERE id = (SELECT max(lead.id) FROM lead JOIN campaign ON campaign.id ="
        " campaign_id WHERE campaign.status = 'paused') - 2"
    )
    queued = "SELECT send.id FROM send JOIN campaign ON campaign.id = campaign_id WHERE send.status = 'queued'"
    of_running = f"{queued} AND campaign.status = 'running' ORDER BY send.id"
    sql(f"UPDATE send SET held_until = now() + interval '1 h', {FAILED} WHERE id IN ({of_running} LIMIT 1)")
    claimed = "claim_token = gen_random_uuid(), held_until = now() + interval '1 h'"
    sql(f"UPDATE send SET {claimed} WHERE id IN ({of_running} DESC LIMIT 1)")


def test_the_first_screen_equals_sql_and_each_number_leads_to_its_rows(let_in: Callable[..., Person]) -> None:
    make_busy_scene()
    admin = let_in(ADMIN)
    first = admin.see("/ops")
    by_hand = {name: str(sql(statement)[0][0]) for name, statement in BY_HAND.items()}
    assert {name: number(first, name) for name in BY_HAND} == by_hand
    assert all(by_hand[name] != "0" for name in ("apply-due", "failing", "dead", "unknown", "deliver-due"))
    assert {name: total(admin.see(link(first, name))) for name in BY_HAND} == by_hand


def test_failures_of_a_kind_are_one_row_which_leads_to_all_of_them(let_in: Callable[..., Person]) -> None:
    make_busy_scene()
    admin = let_in(ADMIN)
    sql(
        "INSERT INTO job (workspace_id, campaign_id, fingerprint, rows, row_count, received, duplicates, errors,"
        " status, last_error, finished_at) SELECT 1, 1, '', '', 0, 0, 0, 0, 'dead',"
        " (ARRAY['ValueError: no ' || n, 'KeyError: ''a' || n || '''', 'OSError: disk ' || n])[n % 3 + 1], now()"
        " FROM generate_series(1, 2000) n"
    )
    shown = admin.see("/ops/failures")
    assert [shown.count(kind) for kind in (">ValueError<", ">KeyError<", ">OSError<")] == [1, 1, 1]
    for row in shown.split("<tr>")[2:]:
        counted, where = row.split("</a>")[0].rpartition(">")[2], row.split('href="')[1].split('"')[0]
        assert total(admin.see(where.replace("&amp;", "&"))) == counted


def test_the_line_of_a_campaign_adds_up_and_each_place_lists_its_leads(let_in: Callable[..., Person]) -> None:
    make_busy_scene()
    admin = let_in(ADMIN)
    for number_, status in sql("SELECT id, status FROM campaign ORDER BY id"):
        where = campaign_page(admin, status)
        words = admin.read(where).split("Everybody is somewhere ")[1].split("steps released")[0]
        enrolled, _, places = words.partition(" enrolled =")
        counts = [int(part.strip().split()[0]) for part in places.split("+")[:-1]]
        assert int(enrolled) == sql("SELECT count(*) FROM lead WHERE campaign_id = :c", c=number_)[0][0]
        assert sum(counts) + int(places.split("+")[-1].split()[0]) == int(enrolled)


def test_an_enrollment_that_is_nowhere_is_shown_in_words(let_in: Callable[..., Person]) -> None:
    make_busy_scene()
    admin = let_in(ADMIN)
    where = campaign_page(admin, "running")
    sql(
        "UPDATE send SET status = 'sending' WHERE id = (SELECT min(send.id) FROM send JOIN lead ON lead.id = lead_id"
        " JOIN campaign ON campaign.id = send.campaign_id WHERE lead.due_at IS NULL AND campaign.status = 'running' AND"
        " send.status = 'queued')"
    )
    assert "unaccounted" not in admin.read(where)
    sql(
        "DELETE FROM send WHERE id = (SELECT max(send.id) FROM send JOIN lead ON lead.id = lead_id JOIN campaign ON"
        " campaign.id = send.campaign_id WHERE lead.due_at IS NULL AND campaign.status = 'running')"
    )
    assert "1 unaccounted" in admin.read(where)
    assert total(admin.see(f"{where}?place=unaccounted")) == "1"


def test_the_rates_are_those_of_what_was_committed(
    let_in: Callable[..., Person], new_campaign: Callable[..., Campaign]
) -> None:
    campaign = new_campaign()
    jobs = [ledger.accept(campaign.public_id, [{"email": f"{n}@x.test"}]) for n in range(7)]
    take_turn(campaign.number)
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)
    tasks.deliver()
    counted = sql("SELECT stage, sum(done), sum(failed) FROM stage_minute GROUP BY stage ORDER BY stage")
    assert counted == [("apply", 7, 0), ("deliver", 7, 0), ("release", 7, 0)]
    assert sql("SELECT count(*) FROM job WHERE taken_at BETWEEN created_at AND finished_at AND applied_by <> ''") == [
        (len(jobs),)
    ]
    assert "done a minute 1" in let_in(VIEWER).read("/ops")


def test_a_job_shows_its_path_to_the_sends_of_its_leads(
    let_in: Callable[..., Person], new_campaign: Callable[..., Campaign]
) -> None:
    campaign = new_campaign()
    job = ledger.accept(campaign.public_id, [{"email": f"{n}@x.test"} for n in range(3)])
    take_turn(campaign.number)
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)
    tasks.deliver()
    shown = let_in(VIEWER).read(f"/ops/jobs/{job.job_id}")
    for part in ("accepted", "waited", "taken", "ran", "applied", "3 steps to its leads", "sent 3 of them"):
        assert part in shown
    bars = ["waited to be taken", "applied", "until the first release", "until the first was sent"]
    path = shown.split("Part Took")[1].split("Attempts")[0]
    assert sorted(bars, key=path.index) == bars


def test_what_a_dead_worker_had_in_hand_is_counted_until_its_lease_ends_and_then_elsewhere(
    let_in: Callable[..., Person], new_campaign: Callable[..., Campaign]
) -> None:
    running(new_campaign, leads=5)
    with transaction() as session:
        claim = outbox.claim(session, 4)
    with transaction() as session:
        assert outbox.begin(session, claim.token, claim.sends[0].number)
    admin = let_in(ADMIN)
    places = ("deliver-due", "deliver-running", "unknown")
    assert [number(admin.see("/ops"), place) for place in places] == ["1", "4", "0"]
    sql("UPDATE send SET held_until = now() - interval '1 s' WHERE claim_token IS NOT NULL")
    tasks.sweep()
    assert [number(admin.see("/ops"), place) for place in places] == ["4", "0", "1"]


def test_the_oldest_age_of_a_stage_is_that_of_its_oldest_item_even_while_it_backs_off(
    let_in: Callable[..., Person], new_campaign: Callable[..., Campaign]
) -> None:
    campaign = running(new_campaign, leads=1)
    sql(f"UPDATE send SET created_at = now() - interval '20 min', held_until = now() + interval '9 min', {FAILED}")
    sql("UPDATE campaign SET running_since = now() - interval '1 h'")
    sql("DELETE FROM stage_minute")
    admin = let_in(ADMIN)
    shown = admin.read("/ops")
    assert "waiting 0 oldest 20 min in hand 0 tried again 1" in shown.split("Deliver")[1]
    assert "deliver stands still" in shown
    assert "TransportUnavailable no answer" in shown
    assert total(admin.see(f"/ops/sends?queue=retrying&campaign={campaign.public_id}")) == "1"


def test_a_line_shows_the_pauses_and_deployments_of_the_last_hour(let_in: Callable[..., Person]) -> None:
    admin = let_in(ADMIN)
    for version in ("1.0", "1.1"):
        sql("UPDATE worker_start SET started_at = started_at - interval '10 min'")
        say_alive(Sign("w@here", ["enrollment"], 2, 1, "here", 7, version), started=True)
        say_alive(Sign("w@here", ["enrollment"], 2, 1, "here", 7, version))
    admin.done("/ops/stages/apply/pause", why="mending")
    admin.done("/ops/stages/apply/pause", why="again, which changes nothing")
    admin.done("/ops/stages/apply/resume")
    admin.done("/ops/stages/release/resume")  # which nobody had paused
    admin.done("/ops/stages/deliver/pause", why="mending")
    tasks.sweep()
    shown = admin.see("/ops")
    marks = [json.loads(html.unescape(found)) for found in re.findall(r'data-pauses="([^"]*)"', shown)]
    assert [[until is None for _, until in pauses] for pauses in marks] == [[], [False], [], [True]]
    words = text_of(shown)
    assert "by ana" in words.split("Apply")[1].split("Release")[0]
    assert re.search(r"started: 1 worker of 1.0, ▼ \d\d:\d\d deployed: 1 worker of 1.1", words)
    lines = [json.loads(html.unescape(found)) for found in re.findall(r'data-points="([^"]*)"', shown)]
    assert [len(points) for points in lines] == [1, 1, 1, 1], "the stage accept has its line, too"


def test_attempts_are_kept_as_long_as_the_rows_of_their_job(
    let_in: Callable[..., Person], new_campaign: Callable[..., Campaign]
) -> None:
    campaign = new_campaign()
    jobs = [ledger.accept(campaign.public_id, [{"email": f"{n}@x.test"}]) for n in range(2)]
    for job in jobs:
        attempts.count_attempt([job.job_number])
        attempts.note_failure([job.job_number], RuntimeError("boom"))
    take_turn(campaign.number)
    sql("UPDATE job SET finished_at = now() - interval '8 days' WHERE id = :job", job=jobs[0].job_number)
    tasks.sweep()
    assert sql("SELECT job_id FROM job_attempt") == [(jobs[1].job_number,)]
    shown = let_in(VIEWER).read(f"/ops/jobs/{jobs[0].job_id}")
    assert "1 failed before; what they said was kept as long as the rows" in shown
    assert "no word" not in shown


def test_every_attempt_of_a_job_is_shown(let_in: Callable[..., Person], new_campaign: Callable[..., Campaign]) -> None:
    campaign = new_campaign()
    job = ledger.accept(campaign.public_id, [{"email": "a@x.test"}])
    for n in range(1, 4):
        attempts.count_attempt([job.job_number])
        attempts.note_failure([job.job_number], RuntimeError(f"boom {n}"), 0.5)
    attempts.count_attempt([job.job_number])  # whose worker was killed
    shown = let_in(VIEWER).read(f"/ops/jobs/{job.job_id}")
    assert [f"boom {n}" in shown for n in range(1, 4)] == [True] * 3
    assert "no word from the workers of 1 attempts" in shown


def test_the_first_screen_takes_as_many_statements_for_one_campaign_as_for_many(
    let_in: Callable[..., Person], new_campaign: Callable[..., Campaign]
) -> None:
    viewer = let_in(ADMIN)

    def statements() -> int:
        counted: list[str] = []

        def listen(*given: Any) -> None:
            counted.append(given[2])

        event.listen(engine(), "before_cursor_execute", listen)
        viewer.see("/ops")
        event.remove(engine(), "before_cursor_execute", listen)
        return len(counted)

    few = statements()
    for n in range(12):
        ledger.accept(new_campaign().public_id, [{"email": f"{n}@x.test"}])
    sql("UPDATE campaign SET status = 'paused', paused_at = now()")
    sql("INSERT INTO stage_pause (stage, paused_by, why) VALUES ('apply', 'ana', 'x')")
    say_alive(Sign("w@here", ["enrollment"], 2, 1, "here", 7, "1.0"), started=True)
    assert statements() == few


def campaign_page(person: Person, status: str) -> str:
    return "/ops/campaigns/camp_" + person.see(f"/ops/campaigns?status={status}").split("/ops/campaigns/camp_")[1][:26]
