"""The plain part: what a reader of the HTML sees, with the same tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.personalization import parse, render_text
from domain.plain_text import plain_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hi</p><p>there</p>", "Hi\n\nthere"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("one<br><br>two</div><div>three", "one\n\ntwo\nthree"),
        ("<div>a</div>\n  <div>b</div>", "a\nb"),
        ("a \n\t b&nbsp;c", "a b c"),
        ("<b>bold</b> and <i>more</i>", "bold and more"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<ul><li><p>one</p></li></ul>", "- one"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ('<a href="https://x.test/?a=1&amp;b=2">here</a>', "here (https://x.test/?a=1&b=2)"),
        ('<a href="https://x.test">https://x.test</a>', "https://x.test"),
        ('<a href="mailto:a@x.test">a@x.test</a>', "a@x.test"),
        ('<a href="#top">up</a>', "up"),
        ("<a name=x>up</a>", "up"),
        ('<a href="https://x.test"><img src="x" alt="logo"></a>', "logo (https://x.test)"),
        ('<a href="https://x.test"><img src="x"></a>', "https://x.test"),
        ('<a href="{{link}}">{{link}}</a>', "{{link}}"),
        ('<a href="https://x.test/{{id}}">go</a>', "go (https://x.test/{{id}})"),
        ("&lt;b&gt; &amp; &#8364; &eacute;", "<b> & € é"),
        ("<head><title>x</title></head><body>y</body>", "y"),
        ("<style>p{color:red}</style><script>if(a<b){}</script>x", "x"),
        ("<!-- no --><!doctype html>x<!-- to the end", "x"),
        ("2 < 3 and 4 > 3", "2 < 3 and 4 > 3"),
        ("<p title='a > b'>x</p>", "x"),
        ("Hi {{firstName|<b>you</b>}} &amp; {{ company }}", "Hi {{firstName|you}} & {{company}}"),
        ("{{R&amp;D}}", "{{R&D}}"),
        ("a\0b\x001\0c", "ab1c"),
        ("", ""),
    ],
)
def test_a_reader_sees_the_same_in_plain_text(html: str, text: str) -> None:
    assert plain_text(html) == text


def test_braces_written_as_entities_do_not_become_a_token() -> None:
    template = plain_text("<p>&#123;&#123;secret&#125;&#125; {{open}}</p>")

    assert "secret" in render_text(template, {"secret": "x", "open": "y"})
    assert parse(template, html=False).tokens == parse("{{open}}", html=False).tokens


def test_a_fallback_cannot_end_its_token_early() -> None:
    assert render_text(plain_text("{{a|&#125;&#125;<b>x</b>&#123;}}!"), {}) == "x!"


@given(
    st.lists(
        st.sampled_from(
            [
                "<",
                ">",
                "<a ",
                "href=",
                '"',
                "'",
                "</a>",
                "{{a}}",
                "{{b|c}}",
                "&#123;",
                "&amp;",
                "x",
                "<li>",
                "<p>",
                "<!--",
                "-->",
                "\0",
                "\n",
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_the_plain_part_has_no_tokens_that_the_html_has_not(html: str) -> None:
    seen = {token.name for token in parse(html.replace("\0", ""), html=True).tokens}

    assert {token.name for token in parse(plain_text(html), html=False).tokens} <= seen


@given(st.text())
def test_no_html_fails(html: str) -> None:
    assert plain_text(html) == plain_text(html).strip()


@pytest.mark.parametrize(
    "piece",
    [
        "<a ",
        "<",
        '<a b="',
        "<a b='",
        "<!--",
        "<script>",
        "<head>",
        "</script",
        "&#1",
        "&",
        "{{",
        "{{a|",
        "}}",
        '<a href="x">',
        "<li>",
        "<td>",
        " ",
        "\n",
        "<br>",
        "\xa0",
        "a=",
        "a ",
        '<a b="" ',
        "&#" + "9" * 5_000,
    ],
    ids=lambda piece: piece[:12],
)
@pytest.mark.timeout(60)
def test_hostile_html_is_read_without_failure_and_hardly_grows(piece: str) -> None:
    # Read in quadratic time this would take minutes; the timeout is for a hang, not for a slow machine.
    html = (piece * (512 * 1024 // len(piece) + 1))[: 512 * 1024]

    assert len(plain_text(html)) <= 2 * len(html)
