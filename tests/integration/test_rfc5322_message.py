"""Messages as bytes: read back by the standard library as they were meant, whatever they hold."""

import email.policy
import re
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.email_address import normalise
from domain.personalization import render_subject
from worker.settings import UnusableSetting
from worker.transport import Message, Rejected
from worker.transport.message import rfc5322, sender

MESSAGE = Message(
    send_id="send_01hx4mrqpb0000000000000001",
    mail_from='"Zoë, of Campaigns" <campaigns@x.test>',
    to="a@x.test",
    subject="Hi",
    html="<p>Hi</p>",
    text="Hi",
    date=datetime(2026, 11, 24, 12, tzinfo=UTC),
)

unhurried = settings(deadline=None, max_examples=60)
bodies = st.text(st.characters(codec="utf-8") | st.sampled_from("\r\n\t =."), max_size=200) | st.sampled_from(
    ["", ".", "\n.\n", "x" * 5_000, "é" * 5_000, "--=_send_01hx4mrqpb0000000000000001--", "From x\n", "a \n b\t\n "]
)
subjects = st.text(max_size=120).map(lambda text: render_subject(text, {}))
addresses = st.sampled_from(["a@x.test", "zoë@x.test", "用户@xn--r8jz45g.xn--zckzah", "!#$%&'*+/=^_`{|}~-@x.test"])


def read(message: Message) -> Any:
    return message_from_bytes(rfc5322(message), policy=cast("Any", email.policy.default))


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return cast("str", body.get_content())


def as_utf8(header: str) -> str:
    """What a reader of RFC 6532 sees; the standard library keeps such octets as surrogates."""
    return header.encode(errors="surrogateescape").decode()


def unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@unhurried
@given(bodies, bodies)
def test_both_parts_are_read_back_as_they_were(html: str, text: str) -> None:
    message = read(replace(MESSAGE, html=html, text=text))

    assert [inner.get_content_type() for inner in message.iter_parts()] == ["text/plain", "text/html"]
    assert unix(part(message, "plain")) == unix(text)
    assert unix(part(message, "html")) == unix(html)
    assert not message.defects


@example("=?UTF-8?Q?=0A?=Bcc: x@y.z", "a@x.test")
@example("=?utf-8?q?a?= =?utf-8?q?b?=", "a@x.test")
@example(" two  blanks ", "a@x.test")
@example("😀" * 200, "a@x.test")
@example("x" * 998, "a@x.test")
@unhurried
@given(subjects, addresses)
def test_headers_are_read_back_as_they_were(subject: str, to: str) -> None:
    message = read(replace(MESSAGE, subject=subject, to=to))

    assert message["Subject"] == subject
    assert [as_utf8(address.addr_spec) for address in message["To"].addresses] == [to]
    assert message["From"].addresses[0].display_name == "Zoë, of Campaigns"
    assert message["From"].addresses[0].addr_spec == "campaigns@x.test"
    assert message["Message-ID"] == "<send_01hx4mrqpb0000000000000001@x.test>"
    assert message["Date"].datetime == MESSAGE.date
    assert message.keys() == ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"]


@unhurried
@given(subjects, bodies, bodies)
def test_every_line_ends_in_crlf_and_none_is_too_long(subject: str, html: str, text: str) -> None:
    content = rfc5322(replace(MESSAGE, subject=subject, html=html, text=text))
    lines = content.split(b"\r\n")

    assert lines[-1] == b""
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert max(map(len, lines)) <= 998
    assert max(map(len, lines[lines.index(b"") :])) <= 78
    assert content.isascii()


def test_each_encoded_word_holds_whole_characters_and_fits_its_limit() -> None:
    subject = "x" + "😀é" * 100
    words = re.findall(rb"=\?utf-8\?b\?([^?]*)\?=", rfc5322(replace(MESSAGE, mail_from="a@x.test", subject=subject)))

    assert "".join(b64decode(word).decode() for word in words) == subject
    assert max(map(len, words)) <= 75 - len("=?utf-8?b??=")


def test_the_same_message_gives_the_same_bytes_and_another_send_another_id() -> None:
    assert rfc5322(MESSAGE) == rfc5322(replace(MESSAGE))
    assert rfc5322(MESSAGE) != rfc5322(replace(MESSAGE, send_id="send_2"))
    assert read(replace(MESSAGE, send_id="send_2"))["Message-ID"] == "<send_2@x.test>"


@pytest.mark.parametrize(
    "break_", ["\n", "\r", "\r\n", "\0", "\x0b", "\x0c", "\x1c", "\x7f", "\x85", "\u2028", "\u2029"]
)
def test_a_subject_that_would_break_its_header_is_rejected(break_: str) -> None:
    with pytest.raises(Rejected, match="subject"):
        rfc5322(replace(MESSAGE, subject=f"Hi{break_}Bcc: b@x.test"))


@pytest.mark.parametrize(
    "to",
    [
        "",
        "a",
        "A@x.test",
        "a@x.test, b@x.test",
        "a@x.test\nBcc: b@x.test",
        "a@x.test\r\n\r\nbody",
        "Ana <a@x.test>",
        "<a@x.test>",
        "a@x.test ",
        "a@\ud800.test",
        "\0@x.test",
        "=?utf-8?q?=0abcc?=@x.test",
    ],
)
def test_what_is_not_one_stored_address_is_rejected(to: str) -> None:
    with pytest.raises(Rejected, match="recipient"):
        rfc5322(replace(MESSAGE, to=to))


@pytest.mark.parametrize("field", ["subject", "html", "text"])
def test_half_a_character_is_rejected_and_named(field: str) -> None:
    with pytest.raises(Rejected, match="half a character"):
        rfc5322(replace(MESSAGE, **{field: "x\ud800"}))


@pytest.mark.parametrize(
    ("mail_from", "header"),
    [
        ("a@x.test", "a@x.test"),
        (" <a@x.test> ", "a@x.test"),
        ("Campaigns <campaigns@localhost>", '"Campaigns" <campaigns@localhost>'),
        ("Ana <A.B@BÜCHER.de>", '"Ana" <A.B@xn--bcher-kva.de>'),
        ('"Doe, \\"J\\"" <j@x.test>', '"Doe, \\"J\\"" <j@x.test>'),
        ("Jane (Sales) <j@x.test>", '"Jane (Sales)" <j@x.test>'),
        ("Zoë <z@x.test>", "=?utf-8?b?Wm/Dqw==?= <z@x.test>"),
    ],
)
def test_mail_from_is_one_mailbox(mail_from: str, header: str) -> None:
    assert sender(mail_from).header == header


@pytest.mark.parametrize(
    "mail_from",
    [
        "",
        "x",
        "@",
        "a@",
        "@x.test",
        '"',
        "<",
        "<>",
        "a b@x.test",
        "a@x.test, b@x.test",
        "A, B <a@x.test>",
        "a@x.test\nBcc: b@x.test",
        "a@[1.2.3.4]",
        "a <a@x.test",
        '"a <a@x.test>',
        "=?utf-8?q?=0a?=@x.test",
        "a\ud800 <a@x.test>",
        "g: a@x.test;",
    ],
)
def test_what_is_not_one_mailbox_is_unusable_in_one_line_that_names_the_setting(mail_from: str) -> None:
    with pytest.raises(UnusableSetting, match=r"\AENROLL_MAIL_FROM cannot be used: [^\n]+\Z"):
        sender(mail_from)


@example('"\\', "a@x.test")
@unhurried
@given(
    st.text(st.characters(codec=None) | st.sampled_from('"\\<>@,;=?'), max_size=12),
    st.sampled_from(["", "a@x.test", "<a@x.test>"]),
)
def test_any_mail_from_is_a_mailbox_that_is_read_back_or_unusable(name: str, address: str) -> None:
    try:
        origin = sender(f"{name} {address}")
    except UnusableSetting:
        return
    (mailbox,) = read(replace(MESSAGE, mail_from=f"{name} {address}"))["From"].addresses
    assert normalise(mailbox.addr_spec) or "." not in mailbox.domain
    assert origin.domain == mailbox.domain
