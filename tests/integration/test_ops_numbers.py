"""What the operations page shows equals SQL, and what a number leads to lists exactly its rows."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from support.database import sql
from support.ops import ADMIN, VIEWER, Person, link, number, total
from support.ops_scene import make_scene

from worker import tasks
from worker.enrolling import take_turn
from worker.store import attempts, campaigns, ledger
from worker.store.connection import engine
from worker.store.tables import Campaign

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
    " WHERE send.status = 'queued' AND campaign.status = 'running'",
    "deliver-held": "SELECT count(*) FROM send JOIN campaign ON campaign.id = campaign_id"
    " WHERE send.status = 'queued' AND campaign.status = 'paused'",
}


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
    assert statements() == few


def campaign_page(person: Person, status: str) -> str:
    return "/ops/campaigns/camp_" + person.see(f"/ops/campaigns?status={status}").split("/ops/campaigns/camp_")[1][:26]
