"""Bad input in files: an error of its line, or one line that names the fault; never a traceback."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.command_line import applying, enroll
from support.database import sql, stored_leads

from worker.store.tables import Campaign


@pytest.fixture
def campaign(new_campaign: Callable[..., Campaign]) -> Campaign:
    return new_campaign()


def import_(folder: Path, name: str, content: str, campaign: Campaign) -> Any:
    file = folder / name
    file.write_bytes(content.encode())
    with applying():
        said = enroll("import", file, "--campaign", campaign.public_id, "--json")
    assert said.code == 0, said.stderr
    assert "Traceback" not in said.stderr
    return said.json


def errors_of(campaign: Campaign) -> list[tuple[str | None, str]]:
    """Which rows were not taken, by what they call themselves."""
    (errors,) = sql("SELECT row_errors FROM job WHERE campaign_id = :campaign", campaign=campaign.number)[0]
    return [(error["email"], error["code"]) for error in errors]


def test_bad_cells_are_errors_of_their_line_and_odd_ones_are_values(campaign: Campaign, tmp_path: Path) -> None:
    cells = {
        "a@x.test": "fine",
        "b@x.test": "NUL \0",
        "c@x.test": "x" * 8_193,
        "d@x.test": "{{company}}",
        "e@x.test": "Ann\r\nBcc: eve@evil.test",
        '"f@x.test\r\nBcc: eve@evil.test"': "fine",
        "\0@x.test": "fine",
        "g@x.test": "NaN",
        "h@x.test": "9" * 5_000,
        "i@x.test": r"\ud800",
    }
    rows = "".join(f'{email},"{cell}"\n' for email, cell in cells.items())

    report = import_(tmp_path, "leads.csv", f"email,note\n{rows}", campaign)

    assert (report["received"], report["created"], report["errors"]) == (10, 6, 4)
    assert errors_of(campaign) == [
        ("b@x.test", "invalid_character"),
        ("c@x.test", "value_too_long"),
        ("f@x.test\r\nBcc: eve@evil.test", "invalid_email"),
        ("\ufffd@x.test", "invalid_character"),
    ]
    stored = {email: lead.variables["note"] for email, lead in stored_leads(campaign.number).items()}
    assert stored == {email: cells[email] for email in stored}


@pytest.mark.parametrize("header", ["email,note\n", "email\n\n \n", "email"])
def test_a_csv_of_no_leads_changes_nothing(campaign: Campaign, tmp_path: Path, header: str) -> None:
    report = import_(tmp_path, "leads.csv", header, campaign)

    assert (report["jobs"], report["received"], report["created"], report["errorsFile"]) == (0, 0, 0, None)


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_ndjson_of_no_leads_changes_nothing(campaign: Campaign, tmp_path: Path, content: str) -> None:
    report = import_(tmp_path, "leads.ndjson", content, campaign)

    assert (report["jobs"], report["received"], report["created"], report["errorsFile"]) == (0, 0, 0, None)


def test_only_rows_that_fill_more_than_200_columns_are_errors(campaign: Campaign, tmp_path: Path) -> None:
    columns = ",".join(f"v{n}" for n in range(201))
    full, nearly_full = ",".join("1" * 201), ",".join("1" * 200)

    report = import_(
        tmp_path, "leads.csv", f"email,{columns}\na@x.test,{full}\nb@x.test,{nearly_full},\nc@x.test\n", campaign
    )

    assert (report["created"], report["errors"]) == (2, 1)
    assert errors_of(campaign) == [("a@x.test", "too_many_variables")]


def test_bad_lines_of_ndjson_are_errors_and_their_neighbours_are_taken(campaign: Campaign, tmp_path: Path) -> None:
    leads: list[tuple[Any, str | None]] = [
        ({"email": "good1@x.test", "v": "{{company}}"}, None),
        ({"email": "a@x.test", **{f"v{n}": n for n in range(201)}}, "too_many_variables"),
        ({"email": "b@x.test", "firstName": 7}, "invalid_type"),
        ({"email": "c@x.test", "company": ["x"]}, "invalid_type"),
        ({"email": ["d@x.test"]}, "invalid_type"),
        ({"email": "e@x.test\r\nBcc: eve@evil.test"}, "invalid_email"),
        ({"email": "f@x.test", "{{x}}": "x"}, "invalid_variable_name"),
        ({"email": "g@x.test", "v": {"__type__": "datetime", "__value__": "x"}}, "invalid_type"),
        ({"firstName": "nobody"}, "missing_email"),
        ([], "invalid_type"),
        ({"email": "good2@x.test", "v": "Ann\r\nBcc: eve@evil.test"}, None),
    ]

    report = import_(tmp_path, "leads.ndjson", "\n".join(json.dumps(lead) for lead, _ in leads), campaign)

    assert (report["received"], report["created"]) == (len(leads), 2)
    assert [code for _, code in errors_of(campaign)] == [code for _, code in leads if code]
    assert stored_leads(campaign.number).keys() == {"good1@x.test", "good2@x.test"}


STEP = '[{"subject": %s, "bodyHtml": %s, "delayDays": %s}]'


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (STEP % ('"Hi\\r\\nBcc: eve@evil.test"', '""', 0), "step 1, subject: "),
        (STEP % ('"Hi\\u0000"', '""', 0), "step 1, subject: "),
        (STEP % ('"Hi"', '"\\u0000"', 0), "step 1, bodyHtml: "),
        (STEP % ('"Hi\\ud800"', '""', 0), "is not JSON: "),
        (STEP % ('"Hi"', '""', "9" * 5_000), "is not JSON: "),
        (STEP % ('"Hi"', '""', "9" * 30), "step 1, delayDays: "),
        (STEP % ('"Hi"', '""', "1e400"), "step 1, delayDays: "),
        (STEP % ('"Hi"', '""', "-1"), "step 1, delayDays: "),
        (STEP % ('"Hi"', '{"nested": 1}', 0), "step 1, bodyHtml: "),
        (STEP % ('"%s"' % ("x" * 999), '""', 0), "step 1, subject: "),
        ('[{"subject": "Hi", "bodyHtml": "", "\\u001b[31m\\n": 1}]', "step 1, \\x1b[31m\\n: "),
        ("[7, null]", "step 1: "),
        ("null", "the file: "),
        ("", "is not JSON: "),
        (b'[{"subject": "\xe9", "bodyHtml": ""}]', "is not JSON: "),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_bad_steps_are_named_in_one_line_and_make_no_campaign(tmp_path: Path, steps: str | bytes, reason: str) -> None:
    file = tmp_path / "steps.json"
    file.write_bytes(steps if isinstance(steps, bytes) else steps.encode())

    said = enroll("campaign", "create", "--name", "Spring", "--steps", file)

    assert (said.code, said.stdout, said.stderr.count("\n")) == (1, "", 1)
    assert reason in said.stderr
    assert sql("SELECT count(*) FROM campaign") == [(0,)]
