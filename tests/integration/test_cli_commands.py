"""The commands around the import: what they print, what they refuse, and how they fail."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import Store, forget_connections
from support.command_line import enroll
from support.database import sql

from worker.enrolling import take_turn
from worker.store import ledger
from worker.store.tables import Campaign

NewCampaign = Callable[..., Campaign]

STEPS = [{"subject": "One", "bodyHtml": "<p>1</p>"}, {"subject": "Two", "bodyHtml": "<p>2</p>", "delayDays": 3}]
NOT_IDS = ["camp_zzz", "", "job_\x1b[31m", "send_" + "z" * 26, "camp_01hx4mrqpbcn7wh2gfk9yz6e3s", "é" * 300]


def steps_file(folder: Path, document: object) -> Path:
    file = folder / "steps.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return file


def unknown_send(campaign: Campaign) -> str:
    ledger.accept(campaign.public_id, [{"email": "a@x.test"}])
    take_turn(campaign.number)
    sql("INSERT INTO send (campaign_id, lead_id, step, status) SELECT campaign_id, id, 1, 'unknown' FROM lead")
    sql("UPDATE lead SET status = 'active', position = 1, due_at = NULL")
    return enroll("send", "list", "--status", "unknown", "--json").json[0]["id"]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("document", [STEPS, {"sequenceSteps": STEPS}])
def test_a_campaign_is_created_with_its_steps_and_shown_with_its_stats(tmp_path: Path, document: object) -> None:
    created = enroll("campaign", "create", "--name", "Spring", "--steps", steps_file(tmp_path, document), "--json").json

    assert created["status"] == "draft"
    assert created["sequenceSteps"] == [{**STEPS[0], "delayDays": 0}, STEPS[1]]
    assert created["createdAt"].endswith("Z")
    shown = enroll("campaign", "show", created["id"], "--json").json
    assert {key: shown[key] for key in created} == created
    zeros = ["totalEnrolled", "waiting", "active", "completed", "stopped", "queued", "sent", "failed", "unknown"]
    later = ["delivered", "bounced", "replied"]
    assert shown["stats"] == {"campaignId": created["id"], **dict.fromkeys(zeros + later, 0)}


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "steps.json is not JSON: "),
        ({"steps": []}, "the file: Input should be a valid list"),
        ([{"subject": "One"}], "step 1, bodyHtml: Field required"),
        ([STEPS[0], {"subject": "a\nb", "bodyHtml": "", "delayDays": 366}], "step 2, subject: String should match"),
        ([{**STEPS[0], "delayDays": True}], "step 1, delayDays: Input should be a valid integer"),
        ([{**STEPS[0], "dealyDays": 1}], "step 1, dealyDays: Extra inputs are not permitted"),
        ([STEPS[0]] * 101, "the file: List should have at most 100 items"),
        ("[" * 100_000, "is not JSON: "),
        ('[{"subject": NaN}]', "is not JSON: "),
    ],
)
def test_steps_that_cannot_be_used_are_named_in_one_line(tmp_path: Path, document: object, reason: str) -> None:
    said = enroll("campaign", "create", "--name", "Spring", "--steps", steps_file(tmp_path, document))

    assert (said.code, said.stdout, said.stderr.count("\n")) == (1, "", 1)
    assert reason in said.stderr
    assert enroll("campaign", "list", "--json").json == []


def test_a_campaign_is_started_and_paused(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    refused = enroll("campaign", "start", campaign.public_id)
    ledger.accept(campaign.public_id, [{"email": "a@x.test"}])

    started = enroll("campaign", "start", campaign.public_id, "--json").json
    paused = enroll("campaign", "pause", campaign.public_id, "--json").json

    assert refused == (
        1,
        "",
        "enroll: The campaign has no leads and no accepted jobs: upsert leads before starting it.\n",
    )
    assert (started["id"], started["status"], paused["status"]) == (campaign.public_id, "running", "paused")
    assert started["startedAt"]
    assert paused["pausedAt"]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("given", NOT_IDS)
@pytest.mark.parametrize(
    "command",
    [
        ["campaign", "show"],
        ["campaign", "start"],
        ["campaign", "pause"],
        ["job", "show"],
        ["job", "retry"],
        ["job", "list", "--campaign"],
        ["send", "list", "--campaign"],
        ["send", "resolve", "--as", "sent"],
    ],
    ids=" ".join,
)
def test_an_id_that_names_nothing_is_refused(command: list[str], given: str) -> None:
    said = enroll(*command, given)

    assert (said.code, said.stdout, said.stderr.count("\n")) == (1, "", 1)
    assert said.stderr.startswith("enroll: There is no ")
    assert "\x1b" not in said.stderr


def test_a_job_is_listed_and_shown_as_the_contract_says(new_campaign: NewCampaign) -> None:
    campaign, other = new_campaign(), new_campaign()
    accepted = ledger.accept(campaign.public_id, [{"email": "a@x.test"}, {"email": "A@x.test"}, {"email": "nobody"}])
    take_turn(campaign.number)
    ledger.accept(other.public_id, [{"email": "a@x.test"}])

    shown = enroll("job", "show", accepted.job_id, "--json").json

    times = {key: shown.pop(key) for key in ("acceptedAt", "appliedAt")}
    assert all(time.endswith("Z") for time in times.values())
    assert shown == {
        "id": accepted.job_id,
        "campaignId": campaign.public_id,
        "status": "applied",
        "attempts": 1,
        "received": 3,
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "enrolled": 1,
        "duplicates": 1,
        "skipped": 0,
        "errors": 1,
        "idempotencyKey": None,
        "lastError": None,
    }
    assert [job["id"] for job in enroll("job", "list", "--status", "applied", "--json").json] == [accepted.job_id]
    assert accepted.job_id in enroll("job", "list", "--campaign", campaign.public_id).stdout
    assert len(enroll("job", "list", "--limit", "1", "--json").json) == 1


def test_a_dead_job_is_accepted_anew(new_campaign: NewCampaign) -> None:
    accepted = ledger.accept(new_campaign().public_id, [{"email": "a@x.test"}])
    refused = enroll("job", "retry", accepted.job_id)
    sql("UPDATE job SET status = 'dead', last_error = 'poison', finished_at = now()")

    anew = enroll("job", "retry", accepted.job_id, "--json").json

    assert refused.stderr == f"enroll: Job {accepted.job_id} is accepted: only a dead job can be retried.\n"
    assert (anew["status"], anew["id"] != accepted.job_id) == ("accepted", True)
    assert enroll("job", "show", accepted.job_id, "--json").json["lastError"] == "poison"


@pytest.mark.parametrize(("resolution", "status"), [("sent", "sent"), ("notSent", "queued")])
def test_a_send_of_unknown_outcome_is_resolved_by_a_person(
    new_campaign: NewCampaign, resolution: str, status: str
) -> None:
    send = unknown_send(new_campaign())

    resolved = enroll("send", "resolve", send, "--as", resolution, "--json").json

    assert (resolved["id"], resolved["status"], resolved["email"], resolved["step"]) == (send, status, "a@x.test", 1)
    again = enroll("send", "resolve", send, "--as", resolution)
    assert (again.code, "only a send whose outcome is unknown can be resolved" in again.stderr) == (1, True)
    assert enroll("send", "list", "--status", "unknown", "--json").json == []


@pytest.mark.usefixtures("store")
def test_workspaces_are_created_and_listed_newest_first() -> None:
    created = enroll("workspace", "create", "--name", "Acme", "--json").json

    assert [workspace["name"] for workspace in enroll("workspace", "list", "--json").json] == ["Acme", "default"]
    assert created["id"].startswith("ws_")
    assert enroll("workspace", "create", "--name", "Acme").stderr == (
        "enroll: There is a workspace 'Acme' already: choose another name.\n"
    )
    assert enroll("campaign", "create", "--name", "x", "--workspace", "Acme").code == 0
    assert enroll("campaign", "create", "--name", "x", "--workspace", "Other").code == 1


def test_status_tells_what_waits_where(store: Store, new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    unknown_send(campaign)
    ledger.accept(campaign.public_id, [{"email": "b@x.test"}])
    store.redis.lpush("enrollment\x06\x163", "a message of another priority")

    overview = enroll("status", "--json").json

    assert overview["queues"] == {"enrollment": 2, "sequencer": 0, "delivery": 0, "maintenance": 0}
    assert overview["jobs"]["accepted"] == 1
    assert overview["jobs"]["oldestAcceptedSeconds"] >= 0
    assert (overview["leads"], overview["sends"]["unknown"]) == (1, 1)
    assert "queue enrollment" in enroll("status").stdout


def test_status_masks_passwords(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    password = urlsplit(store.database_url).password
    assert password
    monkeypatch.setenv("ENROLL_DATABASE_URL", f"{store.database_url}?sslpassword={password}")
    forget_connections()

    said = enroll("status", "--json")

    assert said.json["databaseUrl"] == f"{store.database_url.replace(password, '***')}?sslpassword=***"
    assert password not in said.stdout + enroll("status").stdout


@pytest.mark.usefixtures("store")
def test_without_redis_status_shows_what_postgresql_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENROLL_REDIS_URL", "redis://:s3cret@127.0.0.1:1/0")
    forget_connections()

    said = enroll("status", "--json")

    assert (said.code, said.json["queues"], said.json["leads"]) == (1, None, 0)
    assert "Redis cannot be reached at redis://:***@127.0.0.1:1/0" in said.stderr


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("ENROLL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x", "enroll: PostgreSQL cannot be used: "),
        ("ENROLL_DATABASE_URL", "mysql://x", "enroll: ENROLL_DATABASE_URL cannot be used: must start with "),
        ("ENROLL_DATABASE_URL", "", "enroll: "),
    ],
)
def test_a_server_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(variable, value)
    forget_connections()

    said = enroll("campaign", "list")

    assert (said.code, said.stdout, said.stderr.count("\n")) == (1, "", 1)
    assert said.stderr.startswith(reason)


@pytest.mark.usefixtures("store")
def test_a_database_without_tables_is_migrated_by_command() -> None:
    sql("DROP SCHEMA public CASCADE")
    sql("CREATE SCHEMA public")

    before = enroll("campaign", "list")
    migrated = enroll("migrate")

    assert before.stderr == "enroll: the database does not have the tables of this version: run `enroll migrate`\n"
    assert (migrated.code, enroll("migrate").code, enroll("campaign", "list").code) == (0, 0, 0)


@pytest.mark.usefixtures("store")
def test_values_cannot_write_to_the_terminal(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    hostile = "[red]\x1b[31m\x9b31m\u202edrow[/red]\n"
    sql("UPDATE campaign SET name = :name", name=hostile)

    shown, listed = enroll("campaign", "show", campaign.public_id), enroll("campaign", "list")
    as_json = enroll("campaign", "list", "--json")

    assert as_json.json[0]["name"] == hostile
    for printed in (shown.stdout, listed.stdout, as_json.stdout):
        assert not set(printed) & set("\x1b\x9b\u202e")
    assert r"[red]\x1b[31m\x9b31m\u202edrow[/red]\n" in listed.stdout


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    "arguments",
    [
        ["campaign", "create"],
        ["campaign", "create", "--name", ""],
        ["campaign", "create", "--name", "a\x1bb"],
        ["campaign", "create", "--name", "a\ud800"],
        ["campaign", "create", "--name", "x", "--steps", "nowhere.json"],
        ["campaign", "list", "--limit", "0"],
        ["campaign", "list", "--limit", "1001"],
        ["job", "list", "--status", "unknown"],
        ["job", "list", "--key", "a b\ud800"],
        ["send", "resolve", "send_x"],
        ["send", "resolve", "send_x", "--as", "maybe"],
        ["no-such-command"],
    ],
    ids=ascii,
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert enroll(*arguments).code == 2


def test_the_program_itself_tells_data_from_words(new_campaign: NewCampaign) -> None:
    """As a process: JSON on stdout and nothing else, refusals in one line on stderr, the exit code."""
    campaign = new_campaign()
    program = [sys.executable, "-c", "from worker.cli.main import main; main()"]

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*program, *arguments], capture_output=True, text=True, check=False, timeout=60)

    listed, refused = run("campaign", "list", "--json"), run("job", "show", "job_x")

    assert (listed.returncode, listed.stderr) == (0, "")
    assert [shown["id"] for shown in json.loads(listed.stdout)] == [campaign.public_id]
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "enroll: There is no job 'job_x': check the id.\n"


def test_help_is_shown_without_loading_the_machinery() -> None:
    program = (
        "import sys; from worker.cli.main import app; app(['--help'], standalone_mode=False);"
        "print({'celery', 'alembic'} & set(sys.modules))"
    )

    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert shown.stdout.endswith("set()\n")
