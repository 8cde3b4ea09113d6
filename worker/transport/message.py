"""A message as RFC 5322 bytes: multipart/alternative, plain part first, lines that end in CRLF.

Put together by hand on the standard library's encoders: 0.03 ms a message where EmailMessage takes 2 ms. And
EmailMessage of CPython 3.11 reads a subject before it writes it, so that `=?UTF-8?Q?=0A?=Bcc: x` becomes a header;
here text only ever travels one way.

The same message gives the same bytes: Message-ID and boundary come from the send id.
"""

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterator
from dataclasses import dataclass
from email.policy import default as modern_policy
from email.utils import format_datetime, quote
from functools import lru_cache

import idna

from domain.email_address import normalise
from worker.settings import UnusableSetting
from worker.transport.protocol import Message, Rejected

_unprintable = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]").search
_plain_header = re.compile("[!-~]+(?: [!-~]+)*").fullmatch
# RFC 5322 allows 998 octets a line; mailers agree on fewer, and a subject of this length is read by nobody.
_LONGEST_PLAIN_HEADER = 200
# An encoded word has 75 characters at most: 45 octets make 60 of base64, and =?utf-8?b??= are 12 more.
_OCTETS_PER_WORD = 45


@dataclass(frozen=True, slots=True)
class Sender:
    """The `From` of every message: the header's value, and the ASCII domain that its message ids carry."""

    header: str
    domain: str


def rfc5322(message: Message) -> bytes:
    """The message as bytes; `Rejected` where it cannot be written, `UnusableSetting` where `mail_from` cannot."""
    try:
        return _write(message, sender(message.mail_from)).encode()
    except UnicodeEncodeError as error:
        raise Rejected(f"the message holds half a character (U+{ord(error.object[error.start]):04X})") from None


def _write(message: Message, origin: Sender) -> str:
    # No line of quoted-printable begins like this: "=" stands before hexadecimal digits only.
    boundary = f"=_{message.send_id}"
    lines = (
        f"From: {origin.header}",
        f"To: {_recipient(message.to)}",
        f"Subject: {_header_text(_one_line(message.subject))}",
        f"Date: {format_datetime(message.date)}",
        f"Message-ID: <{message.send_id}@{origin.domain}>",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
        "",
        *_part(boundary, "text/plain", message.text),
        *_part(boundary, "text/html", message.html),
        f"--{boundary}--",
        "",
    )
    return "\r\n".join(lines)


def _part(boundary: str, content_type: str, text: str) -> tuple[str, ...]:
    return (
        f"--{boundary}",
        f'Content-Type: {content_type}; charset="utf-8"',
        "Content-Transfer-Encoding: quoted-printable",
        "",
        _quoted_printable(text),
    )


def _quoted_printable(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    return b2a_qp(lines.encode(), istext=True).decode("ascii")


def _recipient(address: str) -> str:
    # A local part that is not ASCII travels as UTF-8 (RFC 6532): there is no other way to write it.
    if normalise(address) != address:
        raise Rejected("the recipient is not a normalised email address")
    return address


def _one_line(subject: str) -> str:
    if _unprintable(subject):
        raise Rejected("the subject holds a control character or a line separator")
    return subject


def _header_text(text: str) -> str:
    """Text as it may stand in a header: as it is where every reader takes it literally, else encoded (RFC 2047)."""
    literal = len(text) <= _LONGEST_PLAIN_HEADER and _plain_header(text) and "=?" not in text
    return text if literal or not text else "\r\n ".join(_encoded_words(text))


def _encoded_words(text: str) -> Iterator[str]:
    octets = text.encode()
    start = 0
    while start < len(octets):
        end = _character_boundary(octets, start + _OCTETS_PER_WORD)
        yield f"=?utf-8?b?{b64encode(octets[start:end]).decode('ascii')}?="
        start = end


def _character_boundary(octets: bytes, position: int) -> int:
    while position < len(octets) and octets[position] & 0xC0 == 0x80:  # noqa: PLR2004 - UTF-8's continuation bits
        position -= 1
    return position


@lru_cache(maxsize=16)
def sender(mail_from: str) -> Sender:
    """Read MAIL_FROM (`Name <a@x.com>` or `a@x.com`); `UnusableSetting` where it is not exactly one mailbox."""
    mailboxes = () if _unprintable(mail_from) else modern_policy.header_factory("From", mail_from).addresses
    if len(mailboxes) != 1 or not mailboxes[0].username or not mailboxes[0].domain:
        raise UnusableSetting("ENROLL_MAIL_FROM cannot be used: must be one address, as in Name <name@example.com>")
    name, domain = mailboxes[0].display_name, _ascii_domain(mailboxes[0].domain)
    address = f"{mailboxes[0].username}@{domain}"
    return Sender(f"{_phrase(name)} <{address}>" if name else address, domain)


def _phrase(name: str) -> str:
    words = _header_text(name)
    return f'"{quote(name)}"' if words == name else words


def _ascii_domain(domain: str) -> str:
    try:
        return domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise UnusableSetting(f"ENROLL_MAIL_FROM cannot be used: its domain is not valid ({error})") from None
