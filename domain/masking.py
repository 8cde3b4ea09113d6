"""Personal data, masked: the one function through which every value of a lead goes before an operator sees it."""

import re

_ADDRESS = re.compile(r"[^\s<>\"'(),:;@]+@[^\s<>\"'(),:;@]+")
_PHONE = re.compile(r"(?<![\w.:-])(?!\d{4}-\d\d-\d\d)\+?\d[\d ()/-]{6,}\d(?![\w:-])")
_HIDDEN = "•••"


def mask(value: object, *, prose: bool = False) -> str:
    """Hide a value but for its first character; an address keeps the last label of its domain, to be told apart.

    `prose`: the value is a sentence, an error for one, in which only addresses and telephone numbers are hidden.
    """
    if value is None:
        return ""
    text = str(value)
    if prose:
        return _PHONE.sub(_HIDDEN, _ADDRESS.sub(lambda found: _address(found[0]), text))
    if _ADDRESS.fullmatch(text):
        return _address(text)
    return text[:1] + _HIDDEN if text else ""


def _address(address: str) -> str:
    local, _, domain = address.partition("@")
    labels = domain.rstrip(".").split(".")
    shown = f"{domain[:1]}{_HIDDEN}"
    return f"{local[:1]}{_HIDDEN}@{shown}" + (f".{labels[-1]}" if len(labels) > 1 else "")
