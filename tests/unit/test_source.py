"""A source: its rules, and what its payloads become."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from domain.bulk_upsert import Limits
from domain.errors import InvalidRequest, PayloadTooLarge
from domain.job import is_key
from domain.rows import fold
from domain.source import Recipe, SourceRules, body_key, message_key, read_payload, summary

LIMITS = Limits()
RULES = {"scheme": "hmac", "header": "X-Signature", "leadsPath": "data", "mapping": {"email": "email"}}
TYPEFORM = {
    "event_id": "LtWXD3crgy",
    "form_response": {
        "answers": [
            {"type": "email", "email": "ada@x.test", "field": {"ref": "mail"}},
            {"type": "text", "text": "Ada", "field": {"ref": "name"}},
            {"type": "number", "number": 12, "field": {"ref": "seats"}},
        ]
    },
}


def leads_of(recipe: Recipe, payload: object) -> list[object]:
    return read_payload(recipe, json.dumps(payload).encode(), LIMITS).leads


def test_a_payload_becomes_the_leads_that_the_mapping_finds() -> None:
    recipe = Recipe(
        "form_response",
        {
            "email": "answers[?field.ref=='mail'].email | [0]",
            "firstName": "answers[?field.ref=='name'].text | [0]",
            "seats": "answers[?field.ref=='seats'].number | [0]",
            "company": "hidden.company",
        },
        "event_id",
    )
    read = read_payload(recipe, json.dumps(TYPEFORM).encode(), LIMITS)

    assert read.leads == [{"email": "ada@x.test", "firstName": "Ada", "seats": 12}]
    assert read.message_id == "LtWXD3crgy"


@pytest.mark.parametrize(
    ("leads_path", "mapping", "payload", "leads"),
    [
        ("@", {}, {"email": "a@x.test", "x": None}, [{"email": "a@x.test", "x": None}]),
        ("@", {}, [{"email": "a@x.test"}, 5], [{"email": "a@x.test"}, 5]),
        ("data", {"email": "e"}, {"data": [{"e": "a@x.test"}, {"e": "b@x.test"}]}, ["a@x.test", "b@x.test"]),
        ("data", {"email": "e"}, {"data": {"e": "a@x.test"}}, ["a@x.test"]),
        ("emails", {"email": "@"}, {"emails": ["a@x.test"]}, ["a@x.test"]),
        ("people.*", {"email": "e"}, {"people": {"1": {"e": "a@x.test"}}}, ["a@x.test"]),
        ("nothing", {"email": "e"}, {"data": []}, []),
        ("data", {"email": "e"}, {"data": []}, []),
        ("@", {"email": "e"}, None, []),
    ],
)
def test_leads_are_a_list_or_one_object_or_none_at_all(
    leads_path: str, mapping: dict[str, str], payload: object, leads: list[object]
) -> None:
    expected = [{"email": lead} if isinstance(lead, str) else lead for lead in leads]

    assert leads_of(Recipe(leads_path, mapping), payload) == expected


def test_what_the_payload_does_not_have_clears_nothing() -> None:
    assert leads_of(Recipe("@", {"email": "e", "company": "c"}), {"e": "a@x.test", "c": None}) == [
        {"email": "a@x.test"}
    ]
    assert leads_of(Recipe("@", {"email": "e", "company": "c"}), {"e": "a@x.test", "c": ""})[0] == {
        "email": "a@x.test",
        "company": "",
    }


def test_a_field_that_cannot_be_computed_fails_its_row_alone() -> None:
    recipe = Recipe("@", {"email": "e", "firstName": "join(' ', [a, b])"})
    read = read_payload(recipe, b'[{"e":"a@x.test","a":"A"},{"e":"b@x.test","a":"A","b":"B"}]', LIMITS)
    folded = fold(read.leads)

    assert folded.leads == {"b@x.test": {"firstName": "A B"}}
    assert [(error.index, error.field, error.code) for error in folded.errors] == [(0, "firstName", "invalid_type")]
    assert read.faults == ["row 0, firstName: join() takes array of string, this is null"]
    assert summary(folded.errors, read.faults, 2) == f"1 of 2 rows were not taken: {read.faults[0]}"


def test_a_summary_names_the_first_row_that_was_not_taken() -> None:
    folded = fold([{"email": "a@x.test"}, {"email": "x@"}, {}])

    assert summary(folded.errors, [], 3) == (
        "2 of 3 rows were not taken: row 1: email is not an address such as name@example.com"
    )
    assert summary([], [], 3) is None


@pytest.mark.parametrize("value", ["{a: e}", "[e]", "&e", "to_number('inf')", "to_number('nan')", "`1e400`"])
def test_a_value_that_no_lead_may_have_fails_its_row_alone(value: str) -> None:
    folded = fold(leads_of(Recipe("@", {"email": "e", "x": value}), [{"e": "a@x.test"}]))

    assert [(error.field, error.code) for error in folded.errors] == [("x", "invalid_type")]


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b'"\xff"', rb'"\ud800"', b"[" * 65 + b"]" * 65, b"9" * 4_001])
def test_a_payload_is_json_by_the_rules_of_every_door(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_payload(Recipe("@", {}), body, LIMITS)


def test_a_payload_that_has_no_list_where_leads_should_be_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidRequest, match="neither a list nor an object"):
        leads_of(Recipe("data", {"email": "e"}), {"data": "text"})
    with pytest.raises(InvalidRequest, match="leadsPath: length"):
        leads_of(Recipe("length(data)", {}), {"data": 5})
    with pytest.raises(InvalidRequest, match="too much"):
        leads_of(Recipe("|".join(["[@,@][]"] * 24), {}), [1, 2])


def test_the_limits_hold_for_a_payload() -> None:
    with pytest.raises(PayloadTooLarge, match="3 leads, at most 2"):
        read_payload(Recipe("@", {}), b"[{},{},{}]", Limits(max_leads=2))
    with pytest.raises(PayloadTooLarge, match="10 bytes, at most 9"):
        read_payload(Recipe("@", {}), b"[{},{},{}]", Limits(max_body_bytes=9))


@pytest.mark.parametrize(
    ("found", "message_id"), [("x", "x"), (5, "5"), ("", None), (None, None), (True, None), ([1], None), (1.5, None)]
)
def test_an_id_in_the_payload_is_a_text_or_a_whole_number(found: Any, message_id: str | None) -> None:
    read = read_payload(Recipe("@", {}, "id"), json.dumps({"id": found}).encode(), LIMITS)

    assert read.message_id == message_id


def test_keys_of_different_kinds_and_sources_never_meet() -> None:
    awkward = ["a", "A", "ä", "a b", "x" * 300, "", "=a", "#a", message_key("src_1", "ä").value]
    keys = [message_key("src_1", given) for given in awkward] + [message_key("src_2", "a"), body_key("src_1", b"a")]

    assert len(set(keys)) == len(keys)
    assert all(is_key(key.value) and key.space == "hook" for key in keys)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"header": None}, "hmac needs header"),
        ({"scheme": "standard"}, "leave out header"),
        ({"scheme": "standard", "header": None, "idPath": "id"}, "leave out idPath"),
        ({"idHeader": "X-Id", "idPath": "id"}, "give idHeader or idPath"),
        ({"header": "X Signature"}, "match pattern"),
        ({"header": "X:"}, "match pattern"),
        ({"prefix": "a\n"}, "match pattern"),
        ({"encoding": "base32"}, "'hex' or 'base64'"),
        ({"scheme": "md5"}, "'standard' or 'hmac'"),
        ({"secret": "short"}, "16 to 256"),
        ({"leadsPath": "a["}, "no JMESPath expression"),
        ({"idPath": "nope(a)"}, "no function nope"),
        ({"mapping": {"email": "["}}, "no JMESPath expression"),
        ({"mapping": {"email": "e", "a{b": "x"}}, "a field is email"),
        ({"mapping": {"firstName": "x"}}, "mapping needs email"),
        ({"mapping": {f"v{n}": "x" for n in range(205)}}, "204"),
        ({"mapping": None}, "valid dictionary"),
        ({"nonsense": 1}, "Extra inputs"),
    ],
    ids=str,
)
def test_rules_that_cannot_work_are_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    SourceRules.model_validate(RULES)
    with pytest.raises(ValidationError, match=reason):
        SourceRules.model_validate({**RULES, **change})
