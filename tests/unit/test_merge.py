"""The merge rule: absent keeps, null clears, anything else replaces; the last wins."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json
from support.requests import STANDARD_VALUES, VALUES

from domain.merge import LeadFields, apply, apply_all, merge, same
from domain.rows import STANDARD_FIELDS, Given

EMAIL = "a@x.test"
says: Any = st.fixed_dictionaries(
    {},
    optional={name: st.sampled_from(STANDARD_VALUES) for name in STANDARD_FIELDS}
    | {name: st.sampled_from(VALUES) for name in ("a", "b", "useCase")},
)


def stored(*rows: Given) -> LeadFields:
    fields = LeadFields()
    for row in rows:
        fields = merge(fields, row)
    return fields


def test_an_absent_key_keeps_and_null_clears_and_the_rest_replaces() -> None:
    before = stored({"firstName": "Ana", "company": "X", "a": 1, "b": 2, "c": 3})
    after = merge(before, {"firstName": "Bo", "company": None, "a": None, "b": "", "d": False})

    assert after.standard == {"firstName": "Bo", "company": None, "jobTitle": None}
    assert after.variables == {"b": "", "c": 3, "d": False}


def test_clearing_what_is_not_there_changes_nothing() -> None:
    assert same(stored({"a": 1}), stored({"a": 1}, {"b": None, "jobTitle": None}))


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), (0, ""), (None, ""), (1, "1"), (1.5, "1.5"), (0, None)]
)
def test_values_of_another_kind_differ(one: Any, other: Any) -> None:
    assert not same(stored({"v": one}), stored({"v": other}))
    assert apply({EMAIL: stored({"v": one})}, {EMAIL: {"v": other}}) == ["updated"]


def test_one_and_one_point_zero_are_the_same_number() -> None:
    assert same(stored({"v": 1}), stored({"v": 1.0}))


@given(says, says)
def test_merging_twice_is_merging_once(one: Given, other: Given) -> None:
    assert same(stored(one, other, other), stored(one, other))


@given(says, says, says)
def test_merging_what_was_folded_is_merging_one_after_another(before: Given, one: Given, other: Given) -> None:
    assert same(stored(before, one, other), stored(before, one | other))


@given(says, says)
def test_for_every_key_the_last_that_says_something_wins(one: Given, other: Given) -> None:
    result = stored(one, other)

    for name, value in (one | other).items():
        place = result.standard if name in STANDARD_FIELDS else result.variables
        assert to_json(place.get(name)) == to_json(value)
        assert name in STANDARD_FIELDS or (name in place) == (value is not None)


@given(says, says)
def test_a_lead_is_unchanged_exactly_when_its_stored_json_is(one: Given, other: Given) -> None:
    leads = {EMAIL: stored(one)}
    before = as_json(leads[EMAIL])
    (outcome,) = apply(leads, {EMAIL: other})

    assert outcome == ("unchanged" if as_json(leads[EMAIL]) == before else "updated")


def test_outcomes_come_row_by_row_and_job_by_job() -> None:
    leads, outcomes = apply_all(
        [{EMAIL: {"a": 1}, "b@x.test": {}}, {"b@x.test": {}, EMAIL: {"a": None}, "c@x.test": {}}]
    )

    assert outcomes == [["created", "created"], ["unchanged", "updated", "created"]]
    assert list(leads) == [EMAIL, "b@x.test", "c@x.test"]


def as_json(fields: LeadFields) -> bytes:
    return to_json([sorted(fields.standard.items()), sorted(fields.variables.items())])
