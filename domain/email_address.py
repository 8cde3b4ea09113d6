"""The email address: a lead's identity in its campaign, in the one form that is stored and compared.

An address is a dot-atom that may hold non-ASCII letters, one `@`, and a domain of at least two labels. Quoted
local parts, address literals, display names and trailing dots are no addresses here; every top-level domain is.
Limits count octets, as RFC 5321 does: 64 for the local part, 254 in all.
"""

import re
import unicodedata

import idna

# White space as Unicode defines it, and the three zero-width spaces that spreadsheets and byte order marks
# leave at the ends of a cell. Invisible characters that are no space (joiners, direction marks) are not trimmed.
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
    "\u200b\u2060\ufeff"
)

_LOCAL_OCTETS = 64
_ADDRESS_OCTETS = 254
# Composing and mapping can shorten a text, hence not 254; beyond the limit of a standard field nothing is tried.
_LONGEST_INPUT = 1_000

_ATOM = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]"
_ALNUM = "[a-zA-Z0-9]"
# No group is possessive: before Python 3.11.5 one that fails halfway keeps what it has read, and `a.@x.com` passed.
_ordinary = re.compile(rf"{_ATOM}++(?:\.{_ATOM}++)*@(?:{_ALNUM}++(?:-++{_ALNUM}++)*\.)+[a-zA-Z]++").fullmatch
# An address of this length keeps every limit by itself: local part, each label, the whole. It spares the pattern
# all counting.
_ORDINARY_LENGTH = 64

_ascii_atom = re.compile(_ATOM).fullmatch
_ascii_label = re.compile("[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?").fullmatch


def normalise(text: str) -> str | None:
    """The address in the form that is stored and compared, or None where the text is no address."""
    # 0.5 µs an address; what this pattern does not know takes the rule in full (6 µs ASCII, 30 µs and more IDNA).
    if len(text) <= _ORDINARY_LENGTH and _ordinary(text):
        lowered = text.lower()
        if "xn--" not in lowered:
            return lowered
    return _normalise_in_full(text)


def trim(text: str) -> str:
    """Take the white space and zero-width spaces off the ends."""
    return text.strip(_SPACE)


def _normalise_in_full(text: str) -> str | None:
    trimmed = trim(text)
    if len(trimmed) > _LONGEST_INPUT or trimmed.count("@") != 1:
        return None
    local_part, _, domain = trimmed.partition("@")
    return _address(_lower(local_part), _ascii_domain(domain))


def _address(local_part: str, domain: str | None) -> str | None:
    if domain is None or not _is_local_part(local_part):
        return None
    address = f"{local_part}@{domain}"
    fits = len(local_part.encode()) <= _LOCAL_OCTETS and len(address.encode()) <= _ADDRESS_OCTETS
    return address if fits else None


def _lower(local_part: str) -> str:
    # In this order: lower case can leave letters apart that NFC puts together, and no letter needs NFC before it.
    return unicodedata.normalize("NFC", local_part.lower())


def _is_local_part(text: str) -> bool:
    return all(map(_is_atom, text.split(".")))


def _is_atom(text: str) -> bool:
    return text != "" and not _is_mark(text[0]) and all(map(_belongs_into_atom, text))


def _belongs_into_atom(character: str) -> bool:
    if character.isascii():
        return _ascii_atom(character) is not None
    # Many scripts cannot be written without combining marks and digits of their own.
    return _is_mark(character) or unicodedata.category(character) in {"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"}


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")


def _ascii_domain(domain: str) -> str | None:
    # UTS 46 folds case itself, and not as str.lower() does: a capital sigma at the end of a label becomes the ordinary
    # small one as in every browser, where str.lower() gives the final one, which would be another domain.
    try:
        labels = [_ascii_form(label) for label in idna.uts46_remap(domain).split(".")]
    except UnicodeError:  # idna's own errors, and what the punycode codec raises inside
        return None
    is_domain = len(labels) > 1 and all(map(_ascii_label, labels)) and not labels[-1].isdigit()
    return ".".join(labels) if is_domain else None


def _ascii_form(label: str) -> str:
    # An ASCII label is judged by its letters alone: idna would refuse `r3---sn.example.com`, which exists.
    if label.isascii() and not label.startswith("xn--"):
        return label
    return idna.alabel(idna.ulabel(label)).decode()
