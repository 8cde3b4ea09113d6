"""JMESPath: checked when it is written, bounded when it is used."""

import json
from contextlib import suppress
from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.expression import MAX_STEPS, NotAnExpression, Search, TooCostly, Unsearchable, compiled


def test_an_expression_finds_what_jmespath_finds() -> None:
    payload = {"data": [{"e": "a@x.test", "answers": [{"id": "x", "text": "1"}, {"id": "y", "text": "2"}]}]}

    assert Search().find("data[0].answers[?id=='y'].text | [0]", payload) == "2"
    assert Search().find("data[].{email: e, n: length(answers)}", payload) == [{"email": "a@x.test", "n": 2}]
    assert Search().find("data.nothing", payload) is None


@pytest.mark.parametrize("text", ["a", "a.b", "a.b.c", '"a".b', "@", "@.a", "a.*", "(a).b", "a.b | c"])
@pytest.mark.parametrize(
    "payload", [{"a": {"b": {"c": 1}}}, {"a": [1]}, {"a": None}, {"a": "x"}, [{"a": 1}], "a", 5, None]
)
def test_a_path_finds_what_jmespath_finds(text: str, payload: object) -> None:
    assert Search().find(text, payload) == jmespath.search(text, payload)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("a[", "Incomplete"),
        ("a b", "Unexpected token: b"),
        ("#", "Unknown token #"),
        ("nope(a)", "no function nope()"),
        ("a[?length(@, @)]", "length() is given 2 arguments, it takes 1"),
        ("not_null()", "at least 1"),
        ("a" * 1_001, "1,000 characters"),
        ("'\0'", "NUL"),
        (r'"\ud800"', "half a character"),
        ("(" * 900, "nested"),
        ("!" * 900 + "a", "nested"),
        (" || ".join("a" * 60), "nested"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_expression_is_refused_with_the_reason_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(NotAnExpression) as refused:
        compiled(text)
    assert reason in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("text", "payload", "reason"),
    [
        ("length(@)", 5, "length() takes string or array or object, this is number"),
        ("join(' ', [a, b])", {"a": "pri@vate.test"}, "join() takes array of string, this is null"),
        ("avg(@)", [10**400, 0.5], "it cannot be computed (OverflowError)"),
        ("a[::0]", {"a": [1]}, "it cannot be computed (ValueError)"),
        ("contains(@, `1`)", "x", "it cannot be computed (TypeError)"),
    ],
)
def test_a_value_that_does_not_fit_is_told_without_quoting_it(text: str, payload: object, reason: str) -> None:
    with pytest.raises(Unsearchable) as fault:
        Search().find(text, payload)
    assert str(fault.value) == reason


def nested(times: int) -> str:
    text = "@"
    for _ in range(times):
        text = f"to_string([{text}])"
    return text


RUNAWAYS = {
    "a list doubled again and again": ("|".join(["[@,@][]"] * 24), [1, 2]),
    "the same without copying, written out": (f"to_string({'|'.join(['[@,@]'] * 40)})", [1, 2]),
    "shared parts": ("|".join(["[@,@]"] * 45), [1, 2]),
    "objects of objects": ("@" + ".{a:@,b:@}" * 45, {"a": 1}),
    "backslashes of backslashes": (nested(22), ["\\" * 10]),
    "long glue": ("join(a, b)", {"a": "x" * 10**6, "b": ["y"] * 10**6}),
    "long lists added up": (f"[{','.join(['sum(@)'] * 100)}]", list(range(100_000))),
    "a long list for each of its elements": ("[*].[" + "n," * 60 + "n]", [{"n": 1}] * 100_000),
    "many flattenings": ("@" + "[]" * 20, list(range(100_000))),
}


@pytest.mark.parametrize("runaway", RUNAWAYS)
def test_an_expression_that_blows_up_ends(runaway: str) -> None:
    text, payload = RUNAWAYS[runaway]
    search = Search(200_000)

    with pytest.raises(TooCostly):
        search.find(text, payload)


def test_the_limit_is_for_all_searches_in_a_payload_together() -> None:
    search = Search(10)
    for _ in range(3):
        search.find("a.b", {"a": {"b": 1}})

    with pytest.raises(TooCostly):
        search.find("a.b", {"a": {"b": 1}})


def test_the_largest_import_stays_far_from_the_limit() -> None:
    search = Search()
    lead = {"answers": [{"id": n, "text": "x"} for n in range(3)], "name": {"first": "A"}}
    for _ in range(1_000):
        for _ in range(10):
            search.find("name.first", lead)
        search.find("answers[?id==`2`].text | [0]", lead)

    assert MAX_STEPS - search._steps < MAX_STEPS / 20


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
PIECES = [
    "a", "b", "@", ".", "[0]", "[*]", "[]", "[?a]", "[::2]", "|", "||", "&&", "!", "(", ")", "{a:", "}", ",", "==", "<",
    "`1`", "'x'", "&a", "&", "length(", "to_string(", "to_number(", "join(", "sort_by(", "map(", "merge(", "max(", "[",
    "]", "values(", "contains(", "to_array(", "not_null(", "reverse(", "sum(",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), JSON)
def test_whatever_is_written_and_whatever_comes_nothing_else_is_raised(text: str, payload: Any) -> None:
    before = json.dumps(payload)
    with suppress(NotAnExpression, Unsearchable, TooCostly):
        Search(10_000).find(text, payload)

    assert json.dumps(payload) == before
