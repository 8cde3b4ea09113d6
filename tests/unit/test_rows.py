"""Rows: each judged alone, then folded with its duplicates; nothing makes folding fail."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import from_json, to_json
from support.requests import some_leads

from domain.merge import LeadFields, merge, same
from domain.rows import MAX_LEAD_BYTES, STANDARD_FIELDS, FoldedRows, RowError, fold, is_variable_name

EMAIL = "a@x.test"


def folded(**fields: object) -> FoldedRows:
    return fold([{"email": EMAIL, **fields}])


def kept(**fields: object) -> Any:
    rows = folded(**fields)
    assert not rows.errors
    return rows.leads[EMAIL]


def error_of(row: object) -> RowError:
    rows = fold([{"email": "before@x.test"}, row, {"email": "after@x.test", "n": 1}])
    assert rows.leads == {"before@x.test": {}, "after@x.test": {"n": 1}}, "the neighbours are unharmed"
    (error,) = rows.errors
    assert error.index == 1
    return error


def filled(size: int) -> dict[str, object]:
    """A row of exactly `size` bytes as JSON."""
    row: dict[str, object] = {"email": EMAIL, **{f"v{n}": "x" * 8_000 for n in range(8)}, "w": ""}
    return row | {"w": "x" * (size - len(to_json(row)))}


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ("no object", "invalid_type", "lead"),
        (None, "invalid_type", "lead"),
        ([], "invalid_type", "lead"),
        ({}, "missing_email", "email"),
        ({"Email": EMAIL}, "missing_email", "email"),
        ({"email": None}, "missing_email", "email"),
        ({"email": ""}, "missing_email", "email"),
        ({"email": " \u200b\u3000"}, "missing_email", "email"),
        ({"email": 1}, "invalid_type", "email"),
        ({"email": False}, "invalid_type", "email"),
        ({"email": [EMAIL]}, "invalid_type", "email"),
        ({"email": "x@"}, "invalid_email", "email"),
        ({"email": "a\0@x.test"}, "invalid_character", "email"),
        ({"email": "\ud800@x.test"}, "invalid_character", "email"),
        ({"firstName": 1}, "invalid_type", "firstName"),
        ({"company": True}, "invalid_type", "company"),
        ({"jobTitle": {}}, "invalid_type", "jobTitle"),
        ({"jobTitle": "x" * 1_001}, "value_too_long", "jobTitle"),
        ({"firstName": "\0"}, "invalid_character", "firstName"),
        ({"company": "\udfff"}, "invalid_character", "company"),
        ({"v": {}}, "invalid_type", "v"),
        ({"v": [1]}, "invalid_type", "v"),
        ({"v": float("nan")}, "invalid_type", "v"),
        ({"v": float("-inf")}, "invalid_type", "v"),
        ({"v": "x" * 8_193}, "value_too_long", "v"),
        ({"v": "é" * 4_097}, "value_too_long", "v"),
        ({"v": "x\0"}, "invalid_character", "v"),
        ({"v": "x\ud800"}, "invalid_character", "v"),
        ({"": 1}, "invalid_variable_name", ""),
        ({" v": 1}, "invalid_variable_name", " v"),
        ({"v\u00a0": 1}, "invalid_variable_name", "v\u00a0"),
        ({"{v": 1}, "invalid_variable_name", "{v"),
        ({"v}": 1}, "invalid_variable_name", "v}"),
        ({"v|w": 1}, "invalid_variable_name", "v|w"),
        ({"v\tw": 1}, "invalid_variable_name", "v\tw"),
        ({"v\x7fw": 1}, "invalid_variable_name", "v\x7fw"),
        ({"v\x9fw": 1}, "invalid_variable_name", "v\x9fw"),
        ({"n" * 65: 1}, "invalid_variable_name", "n" * 64),
        ({"n\0": 1}, "invalid_character", "n\ufffd"),
        ({"n\ud800": 1}, "invalid_character", "n\ufffd"),
        ({f"v{n}": None for n in range(201)}, "too_many_variables", None),
        (filled(MAX_LEAD_BYTES + 1), "lead_too_large", None),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_bad_row_is_an_error_and_its_neighbours_are_unharmed(row: object, code: str, field: str | None) -> None:
    needs_email = isinstance(row, dict) and row and not {"email", "Email"} & row.keys()
    error = error_of({"email": EMAIL, **row} if needs_email else row)  # type: ignore[dict-item]

    assert (error.code, error.field) == (code, field)
    assert error.message
    assert not any(marker in error.message for marker in ("{field}", "{expected}", "{{", "}}", "None"))


def test_the_limits_are_exact() -> None:
    assert kept(company="é" * 1_000) == {"company": "é" * 1_000}
    assert all(kept(v=longest) for longest in ("x" * 8_192, "é" * 4_096, "😀" * 2_048))
    assert kept(**{"n" * 64: 1}) == {"n" * 64: 1}
    assert len(kept(firstName="a", company="b", jobTitle="c", **{f"v{n}": n for n in range(200)})) == 203
    assert len(to_json(filled(MAX_LEAD_BYTES))) == MAX_LEAD_BYTES == 64 * 1024
    assert not fold([filled(MAX_LEAD_BYTES)]).errors


def test_messages_say_what_to_do() -> None:
    assert error_of({"email": EMAIL, "v|": 1}).message == (
        "a variable name has 1 to 64 characters, none of { } | or control characters, and no outer blanks"
    )
    assert error_of({"email": EMAIL, "v": []}).message == "v must be a string, a finite number, a boolean or null"
    assert error_of({"email": EMAIL, "company": "x" * 1_001}).message == "company has at most 1,000 characters"


def test_an_error_shows_the_email_as_given_cut_at_254() -> None:
    assert error_of({"email": " X@" + "y" * 300}).email == " X@" + "y" * 251
    assert error_of({"email": 7}).email is None
    assert error_of({"email": " A@x.test", "v": []}).email == " A@x.test"


def test_an_error_never_shows_what_postgresql_cannot_hold() -> None:
    for row in ({"email": "a\0\ud800@x"}, {"email": EMAIL, "\0\ud800": 1}, {"email": EMAIL, "v\ud800|": "\0"}):
        shown = json.dumps([error_of(row).email, error_of(row).field, error_of(row).message])
        assert "\\u0000" not in shown
        assert "\\ud800" not in shown


def test_empty_zero_and_false_are_values_and_null_is_said() -> None:
    assert kept(a="", b=0, c=False, d=None, company=None) == {"a": "", "b": 0, "c": False, "d": None, "company": None}


@pytest.mark.parametrize(
    ("given_as", "stored"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (1e16, "1" + "0" * 16),
        (1e23, "1" + "0" * 23),
        (-1e308, "-1" + "0" * 308),
        (5e-324, "5e-324"),
        (True, "true"),
        (10**3_999, "1" + "0" * 3_999),
        (-(10**4_000 - 1), "-" + "9" * 4_000),
    ],
    ids=lambda value: str(value)[:12] if isinstance(value, float | str) else "",
)
def test_a_number_is_kept_as_the_one_json_number_it_is(given_as: float, stored: str) -> None:
    assert to_json(kept(v=given_as)) == f'{{"v":{stored}}}'.encode()


def test_the_last_row_that_has_a_key_wins() -> None:
    rows = fold([{"email": EMAIL, "a": 1, "b": 1}, {"email": "b@x.test"}, {"email": " A@X.test", "b": None, "c": 3}])

    assert rows.leads == {EMAIL: {"a": 1, "b": None, "c": 3}, "b@x.test": {}}
    assert list(rows.leads) == [EMAIL, "b@x.test"]
    assert rows.duplicates == [(2, 0)]


def test_a_bad_duplicate_changes_nothing() -> None:
    rows = fold([{"email": EMAIL, "a": 1}, {"email": EMAIL, "a": 2, "b": []}])

    assert rows.leads == {EMAIL: {"a": 1}}
    assert not rows.duplicates


def test_folding_does_not_change_what_it_was_given() -> None:
    leads = [{"email": EMAIL, "a": 1.0}, {"email": EMAIL, "b": 2}]
    fold(leads)

    assert leads == [{"email": EMAIL, "a": 1.0}, {"email": EMAIL, "b": 2}]
    assert type(leads[0]["a"]) is float


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**4_000), 10**4_000)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=5)
    | st.sampled_from(["a@x.test", "\0", "\ud800" * 3_000, "x" * 9_000])
)
names = st.sampled_from(["email", *STANDARD_FIELDS, "v", "w"]) | st.text(st.characters(codec=None), max_size=3)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)
rows_of_any_kind = st.lists(
    json_values | st.dictionaries(names, scalars, max_size=4).map(lambda row: {"email": EMAIL, **row}), max_size=5
)


@settings(max_examples=150)
@given(rows_of_any_kind)
def test_whatever_the_rows_folding_never_fails_and_every_row_is_accounted_for(rows: list[object]) -> None:
    result = fold(rows)

    assert result.received == len(rows) == len(result.leads) + len(result.duplicates) + len(result.errors)
    for position, given_row in enumerate(result.leads.values()):
        assert from_json(to_json(given_row)) == given_row
        assert "\0" not in "".join([str(value) for value in given_row.values() if isinstance(value, str)])
        assert all(duplicate.position < len(result.leads) for duplicate in result.duplicates), position
    assert to_json([(error.email, error.field, error.message) for error in result.errors])


def test_nesting_without_end_is_one_bad_row() -> None:
    endless: list[object] = []
    for _ in range(100_000):
        endless = [endless]

    assert error_of({"email": EMAIL, "v": endless}).code == "invalid_type"
    assert error_of(endless).code == "invalid_type"


@settings(max_examples=100)
@given(st.lists(rows_of_any_kind, min_size=2, max_size=2))
def test_a_verdict_depends_on_the_row_alone(two: list[list[object]]) -> None:
    def verdicts(rows: list[object], start: int = 0) -> dict[int, str]:
        return {error.index - start: error.message for error in fold(rows).errors if error.index >= start}

    before, rows = two

    assert verdicts(before + rows, len(before)) == verdicts(rows)
    assert verdicts(rows) == {i: fold([row]).errors[0].message for i, row in enumerate(rows) if fold([row]).errors}


@given(st.integers(0, 2**32))
def test_folding_equals_merging_the_rows_one_after_another(seed: int) -> None:
    leads = some_leads(random.Random(seed))
    at_once = {email: merge(LeadFields(), said) for email, said in fold(leads).leads.items()}
    one_by_one: dict[str, LeadFields] = {}
    for lead in leads:
        for email, said in fold([lead]).leads.items():
            one_by_one[email] = merge(one_by_one.get(email, LeadFields()), said)

    assert list(at_once) == list(one_by_one)
    assert all(same(at_once[email], one_by_one[email]) for email in at_once)


@given(st.text(st.characters(codec=None), max_size=4))
def test_the_name_rule_of_rows_is_the_one_the_module_shows(name: str) -> None:
    is_name: Callable[[str], object] = is_variable_name
    rows = fold([{"email": EMAIL, name: "x"}])

    if name not in {"email", *STANDARD_FIELDS}:
        surrogate = any("\ud800" <= character <= "\udfff" for character in name)
        assert bool(rows.leads) == bool(is_name(name) and not surrogate)
