"""Personalization: `{{token}}` and `{{token|fallback}}`, filled in from a lead's values in one pass.

Blanks around a token's name and its fallback do not count. Where the braces hold no name they stay as they are.
A value is never read as a template, so a value containing `{{x}}` stays as it is too.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from html import escape
from html import unescape as unescape_any
from typing import NamedTuple

from domain.rows import Value, is_variable_name

Values = Mapping[str, Value]

# Nothing here crosses a brace or is tried twice, so that 100,000 `{{` are read in linear time.
_token = re.compile(r"\{\{([^{}|]++)(?:\|([^{}]*+))?\}\}")
_endless_reference = re.compile("&#[0-9]{1000,};?")
_breaks_header = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Token(NamedTuple):
    """One place of a template that is filled in from the lead."""

    name: str
    fallback: str


class Template(NamedTuple):
    """A template taken apart: one literal before each token and one after the last."""

    literals: tuple[str, ...]
    tokens: tuple[Token, ...]


def render_html(template: str, values: Values) -> str:
    """Fill in `bodyHtml`: values are escaped; a fallback is the author's own HTML and stays as it is."""
    return _fill(_slots(template, html=True), values, escape)


def render_text(template: str, values: Values) -> str:
    """Fill in a template that is no HTML: values stay as they are."""
    return _fill(_slots(template, html=False), values, str)


def render_subject(template: str, values: Values) -> str:
    """Fill in a subject: each control character and line separator becomes one blank, so it stays one header."""
    return _breaks_header.sub(" ", render_text(template, values))


def parse(template: str, *, html: bool) -> Template:
    """Take a template apart. In HTML a name may be written with entities: `{{R&amp;D}}` is the variable `R&D`."""
    literals: list[str] = []
    tokens: list[Token] = []
    start = 0
    for match in _token.finditer(template):
        name = (unescape(match[1]) if html else match[1]).strip()
        if is_variable_name(name):
            literals.append(template[start : match.start()])
            tokens.append(Token(name, (match[2] or "").strip()))
            start = match.end()
    return Template((*literals, template[start:]), tuple(tokens))


def unescape(html: str) -> str:
    """Give the characters that references such as `&amp;` and `&#8364;` stand for."""
    # The standard library's raises ValueError where a reference has more digits than int() reads.
    return unescape_any(_endless_reference.sub("\ufffd", html))


class _Slots(NamedTuple):
    pieces: tuple[str, ...]
    slots: tuple[tuple[int, str, str], ...]  # index of the piece to replace, name, fallback


@lru_cache(maxsize=256)
def _slots(template: str, *, html: bool) -> _Slots:
    literals, tokens = parse(template, html=html)
    pieces = [piece for literal in literals for piece in (literal, "")]
    slots = ((2 * n + 1, token.name, token.fallback) for n, token in enumerate(tokens))
    return _Slots(tuple(pieces), tuple(slots))


def _fill(template: _Slots, values: Values, write: Callable[[str], str]) -> str:
    pieces = list(template.pieces)
    for index, name, fallback in template.slots:
        value = values.get(name)
        text = value if isinstance(value, str) else _as_json(value)
        pieces[index] = write(text) if text else fallback
    return "".join(pieces)


def _as_json(value: float | None) -> str:
    if value is None:
        return ""
    if type(value) is int:
        return str(Decimal(value))  # str(int) and json.dumps refuse more than 4,300 digits
    return json.dumps(value)
