"""`enroll import`: what a file holds becomes leads; what cannot is named with its line; nothing else happens."""

import csv
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Said, applying, enroll
from support.database import sql, stored_leads
from support.polling import until
from support.workbooks import workbook

from worker import importing
from worker.enrolling import take_turn
from worker.files.records import Row
from worker.store import imports
from worker.store.tables import Campaign

NewCampaign = Callable[..., Campaign]


@pytest.fixture
def campaign(new_campaign: NewCampaign) -> Campaign:
    return new_campaign()


def write(folder: Path, content: str | bytes, name: str = "leads.csv") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def import_(file: Path, campaign: Campaign, *options: str) -> Said:
    with applying():
        return enroll("import", file, "--campaign", campaign.public_id, "--json", *options)


def rows_of(file: str) -> list[list[str]]:
    with Path(file).open(encoding="utf-8", newline="") as opened:
        return list(csv.reader(opened))[1:]


def test_a_csv_becomes_leads_and_its_counts_add_up(campaign: Campaign, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "\ufeffE-Mail;First Name;company_name;Job Title;Use Case\r\n"
        'Ana@X.test;Ana;"Müller; Söhne";;"two\r\nlines"\r\n'
        "\r\n"
        ";;;;\r\n"
        "ana@x.test;Eva;;;\r\n"
        "nobody;;;;\r\n"
        "b@x.test\r\n",
    )

    said = import_(file, campaign)

    assert said.code == 0
    assert said.json == {
        "importId": said.json["importId"],
        "campaignId": campaign.public_id,
        "jobs": 1,
        "received": 4,
        "created": 2,
        "updated": 0,
        "unchanged": 0,
        "enrolled": 2,
        "duplicates": 1,
        "skipped": 0,
        "errors": 1,
        "errorsFile": f"{file}.errors.csv",
        "deadJobs": [],
    }
    leads = stored_leads(campaign.number)
    assert leads["ana@x.test"].standard == {"firstName": "Eva", "company": "Müller; Söhne", "jobTitle": None}
    assert leads["ana@x.test"].variables == {"Use Case": "two\r\nlines"}
    assert leads["b@x.test"].standard == {"firstName": None, "company": None, "jobTitle": None}


@pytest.mark.parametrize(
    ("delimiter", "header"),
    [(",", "email,a"), (";", "email;Name, first"), ("\t", "email\ta;b"), ("|", '"email"|"a,b,c"'), (",", "email")],
)
def test_the_delimiter_is_found(campaign: Campaign, tmp_path: Path, delimiter: str, header: str) -> None:
    row = delimiter.join(["a@x.test", *["1"] * (2 if header == "email,a" else 1)][: 1 if header == "email" else 2])

    said = import_(write(tmp_path, f"sep={delimiter}\n{header}\n{row}\n"), campaign)

    assert (said.code, said.json["created"], said.json["errors"]) == (0, 1, 0)


def test_how_columns_were_understood_is_shown(campaign: Campaign, tmp_path: Path) -> None:
    said = import_(write(tmp_path, "Email Address, TITLE ,Use Case,\na@x.test,CEO,x,\n"), campaign)

    assert "Email Address → email\nTITLE → jobTitle\nUse Case → {{Use Case}}, a custom variable\n" in said.stderr
    assert "A column without a name is left out." in said.stderr
    assert stored_leads(campaign.number)["a@x.test"].variables == {"Use Case": "x"}


def test_an_empty_cell_keeps_what_is_stored(campaign: Campaign, tmp_path: Path) -> None:
    import_(write(tmp_path, "email,company,plan\na@x.test,Voltmetrics,gold\n"), campaign)

    said = import_(write(tmp_path, "email,company,plan\na@x.test,,\n"), campaign)

    assert (said.json["updated"], said.json["unchanged"]) == (1, 1)
    assert stored_leads(campaign.number)["a@x.test"].variables == {"plan": "gold"}


def test_row_errors_name_the_line_where_the_record_starts(campaign: Campaign, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        'email,note\na@x.test,"one\ntwo"\n\nb@x.test,x,too much\n=1+1,formula\n"c@x.test"x,y\nd@x.test,ok\n+,"open\n',
    )

    said = import_(file, campaign)

    assert (said.code, said.json["created"], said.json["errors"], said.json["received"]) == (0, 2, 4, 6)
    rows = rows_of(said.json["errorsFile"])
    assert [(line, email, code) for line, email, _, code, _ in sorted(rows)] == [
        ("5", "b@x.test", "too_many_cells"),
        ("6", "'=1+1", "invalid_email"),
        ("7", "", "invalid_csv"),
        ("9", "", "invalid_csv"),
    ]
    assert "line 6, =1+1: email is not an address such as name@example.com (invalid_email)" in said.stderr


def test_a_line_without_end_is_an_error_of_its_own(campaign: Campaign, tmp_path: Path) -> None:
    endless = "b@x.test," + "x" * 3_000_000
    many_cells = "c@x.test" + "," * 2_000_000 + "y"

    said = import_(write(tmp_path, f"email,note\na@x.test,1\n{endless}\n{many_cells}\nd@x.test,2\n"), campaign)

    assert (said.json["received"], said.json["created"], said.json["errors"]) == (4, 2, 2)
    assert [row[0] for row in rows_of(said.json["errorsFile"])] == ["3", "4"]


def test_row_errors_go_where_they_are_asked_to_and_leave_no_file_without_any(
    campaign: Campaign, tmp_path: Path
) -> None:
    bad, good = write(tmp_path, "email\nnobody\n"), write(tmp_path, "email\na@x.test\n", "good.csv")

    assert import_(bad, campaign, "--errors", str(tmp_path / "bad rows.csv")).json["errors"] == 1
    assert import_(good, campaign).json["errorsFile"] is None

    assert {file.name for file in tmp_path.iterdir() if file.is_file()} == {"leads.csv", "good.csv", "bad rows.csv"}
    assert import_(bad, campaign, "--errors", str(bad)).code == 1
    assert bad.read_bytes() == b"email\nnobody\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        ("name,firm\nx,y\n", "there is no email column: name it `email` in the first line, which has 'name', 'firm'"),
        ("email,Title,Job Title\n", "the columns 'Title' and 'Job Title' both mean jobTitle"),
        ("email,plan, plan\n", "the columns 'plan' and 'plan' both mean plan"),
        ("email,a{b\n", "the column 'a{b' cannot be a variable"),
        ("email,\x1b[31mred\n", r"the column '\x1b[31mred' cannot be a variable"),
        ("email,name\na@x.test,Zoë\n".encode("cp1252"), "is not UTF-8"),
        ("email,name\n".encode("utf-16"), "is not UTF-8"),
        (b"email\n" + b"a@x.test\n" * 300_000 + b"\xe9@x.test\n", "is not UTF-8"),
        ('[{"email": "a@x.test"}]', "is one JSON array: write one lead a line"),
    ],
)
def test_a_file_that_is_none_of_leads_is_refused_as_a_whole(
    campaign: Campaign, tmp_path: Path, content: str | bytes, reason: str
) -> None:
    said = import_(write(tmp_path, content), campaign)

    assert (said.code, said.stdout) == (1, "")
    assert reason in said.stderr
    assert sql("SELECT count(*) FROM job")[0][0] == 0


def test_ndjson_gets_the_verdicts_of_every_other_door(campaign: Campaign, tmp_path: Path) -> None:
    lines: list[Any] = [
        json.dumps({"email": "a@x.test", "firstName": None, "n": 1.5, "flag": False}),
        "",
        "{",
        '{"email": "b@x.test", "v": [1',
        "2]}",
        '{"email": "c@x.test"}, {"email": "d@x.test"}',
        '{"email": "e@x.test", "n": NaN}',
        '{"email": "f@x.test", "n": 1' + "0" * 4_000 + "}",
        '{"email": "g@x.test", "deep": ' + "[" * 70 + "]" * 70 + "}",
        '{"email": "h@x.test", "nested": {"a": 1}}',
        "7",
        '{"email": "i@x.test", "x": "' + "x" * 2_000_000 + '"}',
        '{"email": "j@x.test", "x": "\\ud800"}',
        b'{"email": "k@x.test", "x": "\xe9"}',
        '{"email": "l@x.test", "x": "\\u0000"}',
        '{"email": "z@x.test"}',
    ]
    content = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)

    said = import_(write(tmp_path, b"\xef\xbb\xbf" + content, "leads.ndjson"), campaign)

    assert (said.code, said.json["received"], said.json["created"]) == (0, 15, 2)
    rows = sorted(rows_of(said.json["errorsFile"]), key=lambda row: int(row[0]))
    codes = {int(line): code for line, _, _, code, _ in rows}
    assert codes == {
        **dict.fromkeys([3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14], "invalid_type"),
        12: "lead_too_large",
        15: "invalid_character",
    }
    assert rows[0][4].startswith("lead must be one JSON object on one line: not JSON: key must")
    assert stored_leads(campaign.number)["a@x.test"].variables == {"n": 1.5, "flag": False}


def test_a_file_longer_than_a_job_is_sent_in_jobs_of_500_rows(campaign: Campaign, tmp_path: Path) -> None:
    content = "email,n\n" + "".join(f"lead{n % 3_000}@x.test,{n}\n" for n in range(3_300))

    said = import_(write(tmp_path, content), campaign)

    counts = {key: said.json[key] for key in ("jobs", "received", "created", "updated", "duplicates", "errors")}
    assert counts == {"jobs": 7, "received": 3_300, "created": 3_000, "updated": 300, "duplicates": 0, "errors": 0}
    assert [tuple(job) for job in sql("SELECT received FROM job ORDER BY id")] == [(500,)] * 6 + [(300,)]
    assert stored_leads(campaign.number)["lead0@x.test"].variables == {"n": "3000"}


def test_importing_the_same_file_again_changes_nothing(campaign: Campaign, tmp_path: Path) -> None:
    file = write(tmp_path, "email,n\na@x.test,1\nb@x.test,2\n")
    import_(file, campaign)

    again = import_(file, campaign).json

    assert (again["created"], again["updated"], again["unchanged"]) == (0, 2, 2)


def test_only_a_few_jobs_of_an_import_wait_at_a_time_and_a_missing_worker_is_told(
    campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "NOTICE_SECONDS", 0.1)
    file = write(tmp_path, "email\n" + "".join(f"lead{n}@x.test\n" for n in range(6_000)))
    told: list[Said] = []
    imported = threading.Thread(
        target=lambda: told.append(enroll("import", file, "--campaign", campaign.public_id, "--json"))
    )
    imported.start()
    noticed = threading.Event()
    sleep = importing.sleep
    looks = iter(range(1_000_000))
    monkeypatch.setattr(
        importing, "sleep", lambda seconds: (noticed.set() if next(looks) > 8 else None, sleep(seconds))
    )
    assert noticed.wait(60)

    assert sql("SELECT count(*) FROM job")[0][0] == 8
    until(lambda: take_turn(campaign.number) or not imported.is_alive())
    imported.join()

    assert told[0].code == 0
    assert told[0].json["created"] == 6_000
    assert "Waiting for a worker: no job was applied" in told[0].stderr


def test_an_import_that_does_not_wait_tells_only_what_it_knows(campaign: Campaign, tmp_path: Path) -> None:
    file = write(tmp_path, "email\na@x.test\nnobody\n")

    said = enroll("import", file, "--campaign", campaign.public_id, "--no-wait", "--json")

    assert (said.json["received"], said.json["errors"], said.json["created"]) == (2, 1, None)
    assert sql("SELECT status FROM job")[0][0] == "accepted"


def test_a_dead_job_is_named(campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accept = imports.accept_chunks

    def accept_and_lose(*arguments: Any) -> Any:
        accepted = accept(*arguments)
        sql("UPDATE job SET status = 'dead', last_error = 'poison', finished_at = now()")
        return accepted

    monkeypatch.setattr(imports, "accept_chunks", accept_and_lose)

    said = enroll("import", write(tmp_path, "email\na@x.test\n"), "--campaign", campaign.public_id, "--json")

    assert said.code == 1
    assert said.json["deadJobs"][0] in said.stderr
    assert "enroll job retry" in said.stderr


def test_an_interrupted_import_tells_what_was_accepted(
    campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "sleep", _interrupt)

    said = enroll("import", write(tmp_path, "email\na@x.test\nb@x.test\n"), "--campaign", campaign.public_id)

    assert said.code == 130
    assert "Interrupted. Rows accepted so far: 2 (jobs: 1); they will be applied." in said.stderr


def test_an_import_that_fails_midway_tells_what_was_accepted(campaign: Campaign, tmp_path: Path) -> None:
    said = import_(
        write(tmp_path, "email\na@x.test\nnobody\n"), campaign, "--errors", str(tmp_path / "no" / "errors.csv")
    )

    assert said.code == 1
    assert "Rows accepted so far: 1 (jobs: 1)" in said.stderr
    assert said.stderr.endswith("errors.csv cannot be used: No such file or directory\n")


def fail_with_more_gathered_than_may_wait(campaign: Campaign) -> None:
    with importing.importing(campaign.public_id) as import_:
        for line in range(importing.WAITING_JOBS + 1):
            import_.send([Row(line, {"email": f"lead{line}@x.test"})])
        raise OSError("disk full")


@pytest.mark.timeout(30)
def test_an_import_that_fails_while_no_worker_runs_keeps_what_it_has_read_and_ends(campaign: Campaign) -> None:
    with pytest.raises(OSError, match="disk full"):
        fail_with_more_gathered_than_may_wait(campaign)

    assert sql("SELECT count(*) FROM job")[0][0] == importing.WAITING_JOBS + 1


def test_ctrl_c_ends_the_process_with_130_and_loses_nothing(campaign: Campaign, tmp_path: Path) -> None:
    file = write(tmp_path, "email\n" + "".join(f"lead{n}@x.test\n" for n in range(6_000)))
    command = [sys.executable, "-c", "from worker.cli.main import main; main()", "import", str(file)]
    with subprocess.Popen([*command, "--campaign", campaign.public_id], stderr=subprocess.PIPE, text=True) as process:
        until(
            lambda: sql("SELECT count(*) FROM job")[0][0] > importing.WAITING_JOBS - importing.JOBS_A_COMMIT,
            what="no room for more",
        )
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "they will be applied" in said
    take_turn(campaign.number)
    assert len(stored_leads(campaign.number)) == 500 * sql("SELECT count(*) FROM job")[0][0]


def test_counts_that_do_not_add_up_are_a_failure(
    campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_jobs = importing.read_jobs
    miscounted = {"duplicates": 0}
    monkeypatch.setattr(
        importing, "read_jobs", lambda numbers: [job.model_copy(update=miscounted) for job in read_jobs(numbers)]
    )

    said = import_(write(tmp_path, "email\na@x.test\na@x.test\n"), campaign)

    assert said.code == 1
    assert "the counts do not add up" in said.stderr


@pytest.mark.usefixtures("store")
def test_an_unknown_campaign_is_refused_before_the_file_is_read(tmp_path: Path) -> None:
    said = enroll("import", write(tmp_path, b""), "--campaign", "camp_\x1b[31m")

    assert said.code == 1
    assert said.stderr == "enroll: There is no campaign 'camp_\\x1b[31m': check the id.\n"


@pytest.mark.usefixtures("store")
def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert enroll("import", tmp_path / "none.csv", "--campaign", "camp_x").code == 2
    assert enroll("import", tmp_path, "--campaign", "camp_x").code == 2
    assert enroll("import", write(tmp_path, "email\n")).code == 2


def test_a_workbook_is_imported_too_and_columns_can_be_mapped(campaign: Campaign, tmp_path: Path) -> None:
    file = tmp_path / "leads.xlsx"
    file.write_bytes(workbook([["Email", "Work Email", "Note"], ["x", "a@x.test", "secret"], ["y", "nobody"]]))

    said = import_(file, campaign, "--map", "Work Email:email", "--map", "Note:", "--map", "Email:private")

    assert (said.json["received"], said.json["created"], said.json["errors"]) == (2, 1, 1)
    assert "Work Email → email\nNote is left out.\n" in said.stderr
    assert [row[:2] for row in rows_of(said.json["errorsFile"])] == [["3", "nobody"]]
    assert stored_leads(campaign.number)["a@x.test"].variables == {"private": "x"}


def test_a_map_that_fits_no_column_is_refused(campaign: Campaign, tmp_path: Path) -> None:
    said = import_(write(tmp_path, "email\na@x.test\n"), campaign, "--map", "Mail:email")

    assert said.code == 1
    assert "map names a column 'mail', the first line has 'email'" in said.stderr


def test_a_dry_run_says_what_would_become_of_a_file_and_changes_nothing(campaign: Campaign, tmp_path: Path) -> None:
    file = write(tmp_path, "email,n\n" + "".join(f"lead{n % 600}@x.test,{n}\n" for n in range(1_100)) + "nobody\n")

    dry = import_(file, campaign, "--dry-run").json

    assert sql(
        "SELECT (SELECT count(*) FROM lead), (SELECT count(*) FROM job), (SELECT count(*) FROM lead_import)"
    ) == [(0, 0, 0)]
    real = import_(file, campaign).json
    assert (dry.pop("importId"), real.pop("importId")[:4]) == (None, "imp_")
    assert dry == real
    assert (dry["created"], dry["updated"], dry["errors"]) == (600, 500, 1)


def test_an_import_is_kept_with_its_end(campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = write(tmp_path, "email\na@x.test\nnobody\n")
    import_(good, campaign)
    monkeypatch.setattr(importing, "sleep", _interrupt)
    enroll("import", good, "--campaign", campaign.public_id)

    told = sql("SELECT reading, why, received, rejected FROM lead_import ORDER BY id")
    assert [tuple(row) for row in told] == [("complete", None, 2, 1), ("incomplete", "it was interrupted", 2, 1)]
    assert [tuple(row) for row in sql("SELECT line, email FROM import_error ORDER BY import_id")] == [(3, "nobody")] * 2


def _interrupt(_: float) -> None:
    raise KeyboardInterrupt
