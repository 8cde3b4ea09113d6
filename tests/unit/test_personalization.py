"""Tokens: filled in once, from the lead, safely for the place they stand in."""

import re
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.personalization import parse, render_html, render_subject, render_text
from domain.rows import is_variable_name

hostile = st.text(st.sampled_from("{}|<>&\"'xX#;&") | st.characters(), max_size=15)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hi {{firstName}}!", "Hi Ana!"),
        ("{{ firstName }}{{\tfirstName\n}}", "AnaAna"),
        ("{{firstName|there}}", "Ana"),
        ("{{company|there}}", "there"),
        ("{{ company | dear friend }}", "dear friend"),
        ("{{company|}}", ""),
        ("{{missing}}", ""),
        ("{{cleared|x}}{{empty|y}}", "xy"),
        ("{{zero|x}} {{no|x}} {{yes}} {{half}}", "0 false true 1.5"),
        ("{{FirstName}}", ""),
        ("{{use case}}", "blanks"),
        ("{{R&D}}", "lab"),
        ("{{template}}", "{{firstName}}"),
        ("{{{firstName}}}", "{Ana}"),
        ("{{}} {{ }} {{|x}} {firstName} {{firstName} {{a|b|c}}", "{{}} {{ }} {{|x}} {firstName} {{firstName} b|c"),
        ("{{" + "n" * 65 + "}}", "{{" + "n" * 65 + "}}"),
        ("", ""),
    ],
)
def test_a_token_is_replaced_by_the_leads_value_or_its_fallback(template: str, text: str) -> None:
    values: dict[str, Any] = {
        "firstName": "Ana",
        "cleared": None,
        "empty": "",
        "zero": 0,
        "no": False,
        "yes": True,
        "half": 1.5,
        "use case": "blanks",
        "R&D": "lab",
        "template": "{{firstName}}",
    }

    assert render_text(template, values) == text


def test_a_number_of_four_thousand_digits_is_written_out() -> None:
    assert render_text("{{n}}", {"n": -(10**4_999)}) == "-1" + "0" * 4_999


def test_values_are_escaped_in_html_and_the_authors_fallback_is_not() -> None:
    assert render_html("<b>{{v}}</b>", {"v": "<script>\"'&"}) == "<b>&lt;script&gt;&quot;&#x27;&amp;</b>"
    assert render_html("{{v|<i>you</i>}}", {}) == "<i>you</i>"
    assert render_html("{{v}}", {"v": "{{w}}", "w": "no"}) == "{{w}}"


def test_a_name_may_be_written_with_entities_in_html() -> None:
    assert render_html("{{R&amp;D}}{{R&#38;D}}{{R&D}}", {"R&D": "x"}) == "xxx"
    assert render_text("{{R&amp;D}}", {"R&D": "x"}) == ""


def test_a_reference_with_more_digits_than_python_reads_is_no_failure() -> None:
    assert render_html("{{&#" + "1" * 5_000 + ";}}{{v}}", {"v": "x"}) == "x"


@given(hostile)
def test_a_value_cannot_leave_its_place_in_html(value: str) -> None:
    rendered = render_html('<a title="{{v}}">', {"v": value})

    assert rendered.startswith('<a title="')
    assert rendered.endswith('">')
    inner = rendered[len('<a title="') : -len('">')]
    assert not re.search("[<>\"']", inner)
    assert unescape(inner) == unescape(unescape(inner)) or "&amp;" in inner
    assert value == "" or inner


@given(st.text())
def test_a_subject_stays_one_line_whatever_a_value_holds(value: str) -> None:
    subject = render_subject("Re: {{v}}", {"v": value})

    assert len(subject.splitlines()) == 1
    assert subject.startswith("Re: ")
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029]", subject)
    assert len(subject) == 4 + len(value)


def test_a_value_cannot_add_a_header() -> None:
    assert render_subject("{{v}}", {"v": "Hi\r\nBcc: all@x.test\u2028!"}) == "Hi  Bcc: all@x.test !"


@given(hostile.filter(is_variable_name), hostile)
def test_every_name_that_a_row_may_use_is_a_token(name: str, value: str) -> None:
    assert render_text(f"{{{{{name}}}}}", {name: value}) == value


@given(
    template=st.lists(hostile | st.sampled_from(["{{a}}", "{{ b | c }}"]), max_size=5).map("".join), html=st.booleans()
)
def test_a_template_without_its_tokens_is_left_as_it_is(template: str, *, html: bool) -> None:
    literals, tokens = parse(template, html=html)
    rest = template
    for literal in literals:
        before, found, rest = rest.partition(literal) if literal else ("", "", rest)
        assert found == literal
        assert "{{" in before or not before

    assert len(literals) == len(tokens) + 1
    assert all(is_variable_name(token.name) for token in tokens)


@given(hostile, hostile)
def test_filling_in_is_one_pass(one: str, other: str) -> None:
    assert render_text("{{a}}-{{b}}", {"a": one, "b": other}) == f"{one}-{other}"
