"""The request as it arrives: one verdict at every door."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bulk_upsert import BulkUpsertCounts, Limits, leads_of_body, leads_of_list
from domain.errors import InvalidRequest, PayloadTooLarge, Refusal

LIMITS = Limits()


def verdicts(leads: bytes) -> list[object]:
    """What each door says about these leads: the values themselves, or the refusal in its words."""
    return [verdict_of(leads_of_list, leads), verdict_of(leads_of_body, b'{"leads":%b}' % leads)]


def verdict_of(door: Any, text: bytes) -> object:
    try:
        return door(text, LIMITS)
    except Refusal as refusal:
        return refusal.code


def both(leads: bytes) -> Any:
    first, second = verdicts(leads)
    assert repr(first) == repr(second)
    return first


def nested(levels: int) -> bytes:
    """A list of leads whose body, `{"leads": …}`, is nested `levels` deep."""
    return b"[" * (levels - 1) + b"]" * (levels - 1)


@pytest.mark.parametrize(
    "leads",
    [
        b"",
        b"x",
        b"[1",
        b"[1,]",
        b"['a']",
        b"[01]",
        b"[1.]",
        b'["\t"]',
        b'["\xff"]',
        b'["\xc0\x80"]',
        b'["\xed\xa0\x80"]',
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        rb'["\ud800"]',
        rb'[{"\udfff":1}]',
        rb'["\ude00\ud83d"]',
        b"[" + b"9" * 4_001 + b"]",
        b"[-" + b"9" * 4_001 + b"]",
        b"[0." + b"9" * 4_000 + b"]",
        b"[1e" + b"0" * 4_000 + b"]",
        b"[1.5E+" + b"0" * 4_000 + b"]",
        b'["' + b"9" * 5_000 + b'",' + b"9" * 4_001 + b"]",
        b'[{"a":' + b"9" * 1_000_000 + b',"a":1}]',
        nested(65),
        nested(200_000),
        b'[{"a":' * 300,
    ],
    ids=lambda leads: str(leads[:30]),
)
def test_what_is_no_json_of_ours_is_refused_at_every_door(leads: bytes) -> None:
    assert both(leads) == "invalid_request"


@pytest.mark.parametrize(
    "leads",
    [
        b"[" + b"9" * 4_000 + b"]",
        b"[-" + b"9" * 4_000 + b"]",
        b"[0." + b"9" * 3_999 + b"]",
        b"[1.5E+" + b"0" * 3_998 + b"]",
        b'["' + b"9" * 5_000 + b'"]',
        b'["-' + b"1e" * 5_000 + b'"]',
        nested(64),
        b'[{"a":"' + b"[{" * 1_000 + b'"}]',
        rb'["\ud83d\ude00", "\u0000"]',
        b"[1e400]",
    ],
    ids=lambda leads: str(leads[:30]),
)
def test_what_is_within_the_limits_is_read_at_every_door(leads: bytes) -> None:
    assert isinstance(both(leads), list)


def test_a_number_of_four_thousand_digits_is_read_digit_by_digit() -> None:
    assert both(b"[-" + b"7" * 4_000 + b"]") == [-7 * (10**4_000 - 1) // 9]


def test_nesting_is_found_whatever_surrounds_it() -> None:
    deep = b'{"email":"a@x.test","v":' + b'{"w":[' * 31 + b"]}" * 31 + b"}"
    deeper = deep.replace(b"[]", b"[[]]")
    plain = b'{"email":"a@x.test","v":1},' * 100

    assert isinstance(both(b"[" + plain + deep.replace(b"[]", b"1") + b"]"), list)
    assert both(b"[" + plain + deeper + b"," + plain[:-1] + b"]") == "invalid_request"


def test_of_a_key_given_twice_the_last_counts() -> None:
    assert both(b'[{"a":1,"b":2,"a":null}]') == [{"a": None, "b": 2}]
    assert leads_of_body(b'{"leads":1,"leads":[2]}', LIMITS) == [2]


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b"{}", b'{"leads":null}', b'{"leads":{}}', b'{"Leads":[1]}'])
def test_a_body_without_a_list_of_leads_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match='list named "leads"'):
        leads_of_body(body, LIMITS)


@pytest.mark.parametrize("text", [b"{}", b"1", b"null", b'"[]"', b'{"leads":[1]}'])
def test_a_message_whose_leads_are_no_list_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidRequest, match="JSON array"):
        leads_of_list(text, LIMITS)


def test_one_to_ten_thousand_leads_are_taken() -> None:
    assert both(b"[]") == "invalid_request"
    assert len(both(b"[" + b"1," * 9_999 + b"1]")) == 10_000
    assert both(b"[" + b"1," * 10_000 + b"1]") == "payload_too_large"


def test_too_many_bytes_are_refused_unread() -> None:
    limits = Limits(max_body_bytes=10)

    assert leads_of_list(b'["123456"]', limits) == ["123456"]
    with pytest.raises(PayloadTooLarge, match="11 bytes, at most 10"):
        leads_of_list(b'["1234567"]', limits)
    with pytest.raises(PayloadTooLarge):
        leads_of_list(b"x" * 11, limits)


values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


layouts = st.fixed_dictionaries({"ensure_ascii": st.booleans(), "indent": st.sampled_from([None, 1])})


@settings(max_examples=50)
@given(st.lists(values, min_size=1, max_size=4), layouts)
def test_whatever_json_is_sent_the_same_values_are_read(leads: list[object], layout: Any) -> None:
    assert repr(both(json.dumps(leads, **layout).encode())) == repr(leads)


def test_counts_say_whether_they_add_up() -> None:
    counts = {"created": 1, "updated": 2, "unchanged": 1, "enrolled": 3, "duplicates": 3, "skipped": 0, "errors": 4}

    assert BulkUpsertCounts(received=10, **counts).adds_up
    assert not BulkUpsertCounts(received=11, **counts).adds_up
