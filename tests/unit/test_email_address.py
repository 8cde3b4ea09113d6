"""The identity of a lead: what is an address, and in which one form it is stored."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.email_address import normalise, trim

LABELS_OF_185 = ".".join(["d" * 61] * 3) + ".co"  # 188 octets: with 64 + "@" before it, 253 in all


@pytest.mark.parametrize(
    ("given_as", "stored"),
    [
        ("Priya.Sharma@VoltMetrics.IO", "priya.sharma@voltmetrics.io"),
        ("\u200b\ufeff \t a@x.com\u00a0\u2060\n", "a@x.com"),
        ("a+b@x.com", "a+b@x.com"),
        ("a.b@gmail.com", "a.b@gmail.com"),
        ("!#$%&'*+/=?^_`{|}~-@x.com", "!#$%&'*+/=?^_`{|}~-@x.com"),
        ("ana@bu\u0308cher.de", "ana@xn--bcher-kva.de"),
        ("ANA@BÜCHER.DE", "ana@xn--bcher-kva.de"),
        ("ana@XN--BCHER-KVA.de", "ana@xn--bcher-kva.de"),
        ("ana@faß.de", "ana@xn--fa-hia.de"),
        ("zoe\u0308@x.com", "zoë@x.com"),
        ("H\u0331@x.com", "\u1e96@x.com"),  # there is no capital of this letter in one piece
        ("ЖАННА@почта.рф", "жанна@xn--80a1acny.xn--p1ai"),
        ("क्षेत्र@x.com", "क्षेत्र@x.com"),
        ("a@例え。テスト", "a@xn--r8jz45g.xn--zckzah"),
        ("a@\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45\uff0e\uff43\uff4f\uff4d", "a@example.com"),
        ("a@b.test", "a@b.test"),
        ("a@b.invalid", "a@b.invalid"),
        ("a@r3---sn.example.com", "a@r3---sn.example.com"),
        ("a@1.2.x3", "a@1.2.x3"),
        ("l" * 64 + "@x.com", "l" * 64 + "@x.com"),
        ("a@" + "d" * 63 + ".com", "a@" + "d" * 63 + ".com"),
        ("l" * 64 + "@d" + LABELS_OF_185, "l" * 64 + "@d" + LABELS_OF_185),
    ],
)
def test_an_address_is_stored_in_one_form(given_as: str, stored: str) -> None:
    assert normalise(given_as) == stored


def test_the_longest_address_has_254_octets() -> None:
    assert len("l" * 64 + "@d" + LABELS_OF_185) == 254


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x@",
        "@x.com",
        "x",
        "a@b",
        "a@localhost",
        "a@b@x.com",
        "a@x.com, b@x.com",
        ".a@x.com",
        "a.@x.com",
        "a..b@x.com",
        "a b@x.com",
        "a\u200bb@x.com",
        "a\u200d@x.com",
        "a\0@x.com",
        "a\n@x.com",
        "a(c)@x.com",
        '"a b"@x.com',
        "a@[127.0.0.1]",
        "Ana <a@x.com>",
        "mailto:a@x.com",
        "a@x.com.",
        "a@.x.com",
        "a@x..com",
        "a@-x.com",
        "a@x-.com",
        "a@x_y.com",
        "a@x.123",
        "a@123.123",
        "a@x.\uff11\uff12\uff13",
        "a@xn--.com",
        "a@xn--a\u0308.com",
        "a@xn--0.com",
        "a@x\uff0ey\uff20z.com",
        "\u0301a@x.com",
        "😀@x.com",
        "a@☃\ud800.com",
        "\ud800@x.com",
        "l" * 65 + "@x.com",
        "é" * 33 + "@x.com",
        "a@" + "d" * 64 + ".com",
        "l" * 64 + "@dd" + LABELS_OF_185,
        "a" * 1_000_000 + "@x.com",
        "a@" + "ü" * 990 + ".de",
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert normalise(text) is None


def test_white_space_of_unicode_and_zero_width_spaces_are_trimmed_and_joiners_are_not() -> None:
    assert trim("\u2003\u200b a \ufeff\x85") == "a"
    assert trim("\u200da") == "\u200da"


some_text = st.text(
    st.sampled_from("aBé\u0308ßΣ\u03c3ς.İK@-+ \u200bxn\uff11。") | st.characters(codec=None), max_size=12
)


@settings(max_examples=300)
@example("ΑΣ", "xn--bcher-kva.de")
@example("İ", "İ.com")
@given(some_text, some_text | st.sampled_from(["x.com", "BÜCHER.de", "faß.de", "x.Σ", "ΑΣ.gr"]))
def test_normalising_what_is_normalised_changes_nothing(local_part: str, domain: str) -> None:
    address = normalise(f"{local_part}@{domain}")

    assert address is None or normalise(address) == address


@given(st.text(st.characters(codec=None)))
def test_any_text_is_an_address_or_none_and_never_an_error(text: str) -> None:
    assert normalise(text) is None or "@" in text


@given(st.text("aB1.+-", max_size=5), st.text("aB1.-", max_size=7))
def test_the_quick_pattern_and_the_rule_in_full_agree(local_part: str, domain: str) -> None:
    text = f"{local_part}@{domain}"
    # A blank in front is trimmed, and too much for the quick pattern.
    assert normalise(text) == normalise(f" {text}")
