"""How things look: numbers, ages, times, and personal data, in templates."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import inf
from typing import Any, cast
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from domain.history import Paused, Started
from domain.masking import mask
from worker.reports.ops.snapshot import COUNTED_TO

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_NOTHING = "–"  # noqa: RUF001  # a dash, meant as one


def number(count: float | None, bound: int = COUNTED_TO) -> str:
    """Show a count; `100,000+` where it was counted no further."""
    if count is None:
        return "unknown"
    return f"{bound:,}+" if count > bound else f"{count:,.0f}"


def age(seconds: float | None) -> str:
    """Show how long something has been, in its two greatest units."""
    if seconds is None:
        return _NOTHING
    if seconds < _MINUTE:
        return _short(seconds)
    whole = int(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s" if whole < 10 * _MINUTE else f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def _short(seconds: float) -> str:
    if 0 < seconds < 1:
        return f"{max(seconds * 1_000, 1):.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004  # tenths are of interest below


def at_most(seconds: float | None) -> str:
    """Show the upper bound of a band of time."""
    if seconds is None:
        return _NOTHING
    return "> 30 min" if seconds == inf else f"≤ {seconds:g} s"


def rate(per_minute: float) -> str:
    """Show how many a minute."""
    return f"{per_minute:,.1f}" if 0 < per_minute < 10 else f"{per_minute:,.0f}"  # noqa: PLR2004  # as above


def when(time: datetime | None) -> str:
    """Show a time in UTC."""
    return _NOTHING if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock(time: datetime) -> str:
    """Show the time of a day, in UTC."""
    return f"{time.astimezone(UTC):%H:%M}"


def spans(paused: Iterable[Paused]) -> list[list[float | None]]:
    """Give from when to when, in seconds since 1970, for the script that draws it; None: still."""
    return [[pause.since.timestamp(), pause.until and pause.until.timestamp()] for pause in paused]


def moments(starts: Iterable[Started]) -> list[list[float | bool]]:
    """Give when workers started, and whether that was a deployment, for the script that draws it."""
    return [[start.at.timestamp(), start.deployed] for start in starts]


def since(time: datetime | None) -> str:
    """Show how long ago something was."""
    return _NOTHING if time is None else f"{age(max((datetime.now(UTC) - time).total_seconds(), 0))} ago"


def address(path: str, **query: object) -> str:
    """Make an address with those parts of a query that say something."""
    asked = {name: value for name, value in query.items() if value not in {None, "", False}}
    return f"{path}?{urlencode(asked)}" if asked else path


@pass_context
def personal(context: Context, value: object) -> str:
    """Show a value of a lead, masked unless whoever looks has asked to see it."""
    return ("" if value is None else str(value)) if context["unmasked"] else mask(value)


@pass_context
def prose(context: Context, value: object) -> str:
    """Show a sentence that may quote a lead."""
    return ("" if value is None else str(value)) if context["unmasked"] else mask(value, prose=True)


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("worker.ops"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown: Mapping[str, Any] = {
        "number": number,
        "age": age,
        "at_most": at_most,
        "rate": rate,
        "when": when,
        "since": since,
        "clock": clock,
        "spans": spans,
        "moments": moments,
        "personal": personal,
        "prose": prose,
    }
    made.filters.update(shown)
    cast("dict[str, Any]", made.globals)["address"] = address
    return made


templates = _environment()
