"""Failures of a kind: the stage, the class of the error, and its message without what differs from case to case."""

import hashlib
import re
from functools import lru_cache
from typing import NamedTuple

from domain.stage import Stage

_CLASS = re.compile(r"([A-Z]\w*(?:\.\w+)*): ")
_VARYING = (
    (re.compile(r"[^\s<>\"'(),:;@]+@[^\s<>\"'(),:;@]+"), "{address}"),
    (re.compile(r"\b[a-z]+_[0-9a-hjkmnp-tv-z]{26}\b"), "{id}"),
    (
        re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b|\b[0-9a-f]{12,}\b", re.IGNORECASE),
        "{hex}",
    ),
    (re.compile(r"\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)"), "{text}"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "{n}"),
    (re.compile(r"\s+"), " "),
)
_MAX_CHARACTERS = 200


class Kind(NamedTuple):
    """What failures have in common."""

    stage: Stage
    error_class: str
    message: str

    @property
    def id(self) -> str:
        """A short name for addresses."""
        return hashlib.sha256("\0".join(self).encode()).hexdigest()[:12]


@lru_cache(maxsize=8_192)
def kind_of(stage: Stage, error: str | None) -> Kind:
    """Say of what kind a failure is."""
    if not error:
        return Kind(stage, "Unknown", "nothing is known: its worker was lost")
    found = _CLASS.match(error)
    message = error[found.end() :] if found else error
    for varying, placeholder in _VARYING:
        message = varying.sub(placeholder, message)
    return Kind(stage, found[1] if found else "Error", message.strip()[:_MAX_CHARACTERS])
