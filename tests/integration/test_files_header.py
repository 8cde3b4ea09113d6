"""What the columns of an export mean: guessed where it is clear, refused where it is not, or said with map."""

import pytest

from domain.errors import InvalidRequest
from worker.files.header import read_header, read_map
from worker.files.records import UnusableFile

HUBSPOT = ["Record ID", "First Name", "Last Name", "Email", "Company Name", "Job Title", "Associated Company"]
APOLLO = [
    "First Name", "Last Name", "Title", "Company", "Company Name for Emails", "Email", "Email Status",
    "Secondary Email", "Person Linkedin Url",
]  # fmt: skip
CLAY = ["First Name", "Last Name", "Full Name", "Job Title", "Location", "Company Domain", "Company Name", "Work Email"]
LINKEDIN = ["First Name", "Last Name", "URL", "Email Address", "Company", "Position", "Connected On"]


def keys(header: list[str], *maps: str) -> dict[str, str | None]:
    """What each column becomes."""
    return {column.header: column.key for column in read_header(header, read_map(maps)).columns}


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        (HUBSPOT, {"Email": "email", "First Name": "firstName", "Company Name": "company", "Job Title": "jobTitle"}),
        (
            APOLLO,
            {"Email": "email", "First Name": "firstName", "Company Name for Emails": "company", "Title": "jobTitle"},
        ),
        (CLAY, {"Work Email": "email", "First Name": "firstName", "Company Name": "company", "Job Title": "jobTitle"}),
        (
            LINKEDIN,
            {"Email Address": "email", "First Name": "firstName", "Company": "company", "Position": "jobTitle"},
        ),
    ],
    ids=["HubSpot", "Apollo", "Clay", "LinkedIn"],
)
def test_the_columns_of_common_exports_are_known_and_all_others_become_variables(
    header: list[str], fields: dict[str, str]
) -> None:
    assert keys(header) == {name: fields.get(name, name) for name in header}


@pytest.mark.parametrize("header", ["E-Mail", "EMAIL", "e_mail", "\u00a0Email Address\u200b", "emailAddress"])
def test_a_header_is_understood_whatever_its_case_and_punctuation(header: str) -> None:
    assert list(keys([header]).values()) == ["email"]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (["email", "Title", "Position"], "the columns 'Title' and 'Position' both mean jobTitle"),
        (["Email", "Work Email"], "the columns 'Email' and 'Work Email' both mean email"),
        (["email", "Company", "Company Name"], 'map="Company Name:company"'),
        (["email", "plan", "plan"], "both mean plan"),
        (["name"], 'say which it is with map="Column:email"'),
        (["email", "x" * 65], "cannot be a variable"),
    ],
)
def test_what_is_unclear_is_refused_with_the_remedy(header: list[str], reason: str) -> None:
    with pytest.raises(UnusableFile) as refused:
        keys(header)

    assert reason in str(refused.value)
    assert "map" in str(refused.value)


def test_what_the_caller_says_wins_over_every_guess() -> None:
    header = ["Email", "Work Email", "Title", "Job Title", "x" * 65, "Note"]
    said = keys(header, "work email:email", "Job Title:jobtitle", "x" * 65 + ":x", "Note:")

    assert said == {
        "Email": "Email", "Work Email": "email", "Title": "Title", "Job Title": "jobTitle", "x" * 65: "x", "Note": None,
    }  # fmt: skip


def test_a_column_with_the_very_name_of_a_field_is_left_out_when_another_is_meant() -> None:
    assert keys(["email", "Work Email"], "Work Email:email") == {"email": None, "Work Email": "email"}


def test_the_last_colon_parts_a_column_from_its_field() -> None:
    assert keys(["email", "Time: GMT"], "Time: GMT:time") == {"email": "email", "Time: GMT": "time"}


@pytest.mark.parametrize(
    ("maps", "reason"),
    [
        (["First Name"], 'map must be "Column:field"'),
        ([":email"], 'map must be "Column:field"'),
        (["a:x", "A:y"], "map names the column 'a' twice"),
        (["a:{b}"], "map cannot make a variable '{b}'"),
        (["none:x"], "map names a column 'none', the first line has 'email', 'a', 'b'"),
        (["a:x", "b:x"], "both mean x"),
        (["email:"], "there is no email column"),
    ],
)
def test_a_map_that_cannot_be_followed_is_refused(maps: list[str], reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        keys(["email", "a", "b"], *maps)

    assert reason in str(refused.value)


def test_blank_cells_are_absent() -> None:
    header = read_header(["email", "plan", "note"], {})

    assert header.lead(["a@x.test", " \t", ""]) == {"email": "a@x.test"}
    assert header.lead(["a@x.test", " gold "]) == {"email": "a@x.test", "plan": " gold "}
