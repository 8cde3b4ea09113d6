"""The plain part of a message: a step's HTML template as a template of readable text.

html.parser would do, but CPython 3.11 reads hostile markup in quadratic time (60 KB of `<a `: 18 s) and whoever
may write a campaign would hold a delivery worker that long. The patterns below never read a character twice.
"""

import re
from functools import lru_cache

from domain.personalization import Token, parse, unescape

_unseen = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(script|style|title)\b.*?(?:</\1\b[^>]*+(?:>|\Z)|\Z)"
    r"|<head\b.*?(?:</head\b[^>]*+(?:>|\Z)|(?=<body\b)|\Z)"
    r"|<[!?][^>]*+(?:>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_tag = re.compile(r"""<(/?)([a-z][a-z0-9]*+)((?:[^<>"']++|"[^"<]*"|'[^'<]*')*)>""", re.IGNORECASE)
_attribute = re.compile(r"""(?<![a-z-])([a-z-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""", re.IGNORECASE)
_blanks = re.compile(r"[ \t\r\n\f\xa0]+")
_placeholder = re.compile(r"\0([0-9]+)\0")

# A tag of the first kind ends a line once, however many of them meet: `</div><div>` is one line break.
_LINES = (
    "address article aside body center dd div dt figcaption figure footer form header hr html li main nav section tr"
)
_PARAGRAPHS = "blockquote dl h1 h2 h3 h4 h5 h6 ol p pre table ul"
_BREAKS = dict.fromkeys(_LINES.split(), "\v") | {"br": "\n"} | dict.fromkeys(_PARAGRAPHS.split(), "\n\n")
_BULLET = "- "


@lru_cache(maxsize=256)
def plain_text(html_template: str) -> str:
    """The same message as a template of plain text; `render_text` fills in its tokens."""
    literals, tokens = parse(html_template.replace("\0", ""), html=True)
    # Equal tokens share a number, so that a link whose text is its own address is seen as such.
    numbers = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    marks = [f"\0{numbers[token]}\0" for token in tokens]
    html = "".join(piece for pair in zip(literals, (*marks, ""), strict=True) for piece in pair)
    written = [_token_as_text(token) for token in numbers]
    return _placeholder.sub(lambda mark: written[int(mark[1])], _without_tokens(_read(html)))


def _token_as_text(token: Token) -> str:
    fallback = re.sub("[{}]", "", _read(token.fallback))
    return f"{{{{{token.name}|{fallback}}}}}" if fallback else f"{{{{{token.name}}}}}"


def _without_tokens(text: str) -> str:
    # Braces that the author wrote as entities are braces to the reader: a word joiner, which nobody sees, keeps
    # them from turning into a token here.
    return re.sub(r"\{(?=\{)", "{\u2060", text) if parse(text, html=False).tokens else text


def _read(html: str) -> str:
    text = _Text()
    start = 0
    seen = _unseen.sub("", html)
    for tag in _tag.finditer(seen):
        text.write(seen[start : tag.start()])
        text.mark(tag[2].lower(), tag[3], closing=tag[1] == "/")
        start = tag.end()
    text.write(seen[start:])
    return text.finish()


class _Text:
    """Collects what a reader sees, with the line breaks that the tags ask for."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._link = ""
        self._link_start = 0

    def write(self, html: str) -> None:
        self._pieces.append(_blanks.sub(" ", unescape(html)))

    def mark(self, tag: str, attributes: str, *, closing: bool) -> None:
        if tag == "a":
            self._close_link()
            if not closing:
                self._open_link(attributes)
        elif tag in _BREAKS:
            self._break(_BREAKS[tag])
            if tag == "li" and not closing:
                self._pieces.append(_BULLET)
        elif tag in {"td", "th"}:
            self._pieces.append(" ")
        elif tag == "img":
            self._pieces.append(_attributes(attributes).get("alt", ""))

    def finish(self) -> str:
        self._close_link()
        text = re.sub(" ?\v[ \v]*", "\n", re.sub(" {2,}", " ", "".join(self._pieces)))
        return re.sub("\n{3,}", "\n\n", re.sub(" ?\n ?", "\n", text)).strip()

    def _break(self, lines: str) -> None:
        if self._pieces[-2:-1] != [_BULLET] or self._pieces[-1].strip():
            self._pieces.append(lines)

    def _open_link(self, attributes: str) -> None:
        address = _attributes(attributes).get("href", "")
        self._link = "" if address.startswith("#") else re.sub("^(?:mailto|tel):", "", address)
        self._link_start = len(self._pieces)

    def _close_link(self) -> None:
        if not self._link:
            return
        label = "".join(self._pieces[self._link_start :])
        shown = label.strip()
        if shown != self._link:
            named = f"{shown} ({self._link})" if shown else self._link
            self._pieces[self._link_start :] = [label.replace(shown, named, 1) if shown else named]
        self._link = ""


def _attributes(text: str) -> dict[str, str]:
    found = _attribute.findall(text)
    return {name.lower(): unescape(double or single or bare).strip() for name, double, single, bare in found}
