"""A run: every measure that is wanted, round by round."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, NamedTuple, cast

from worker.bench.catalogue import ASIDES, GROUPS, LIMITS, MEASURES
from worker.bench.database import connected, empty, tidy
from worker.bench.figures import Fact, Figure, Sizes
from worker.bench.machine import facts
from worker.bench.place import Place, prepared_place
from worker.embedded.process import Say
from worker.nudges import redis


class Plan(NamedTuple):
    """What to measure, how often, and with how much work each time."""

    wanted: AbstractSet[str]
    rounds: int
    sizes: Sizes


class Results(NamedTuple):
    """All that a run found."""

    figures: list[Figure]
    facts: list[Fact]
    machine: dict[str, str | int]


def run(plan: Plan, folder: Path, database_url: str | None, say: Say) -> Results:
    """Measure in servers of its own; tell each figure as it comes."""
    results = Results([], [], {})
    with prepared_place(folder, database_url, say) as place:
        with connected(place.product_url) as connection:
            results.machine.update(facts(connection))
        for found in _measured(plan, place):
            say(_told(found))
            cast("list[object]", results.figures if isinstance(found, Figure) else results.facts).append(found)
    return results


def _measured(plan: Plan, place: Place) -> Iterator[Figure | Fact]:
    for keys, group in GROUPS:
        wanted = plan.wanted & keys
        if wanted:
            _leave_nothing(place)
            with group(place, plan.sizes, wanted) as measure:
                found = (each for number in range(plan.rounds) for each in measure(number))
                yield from (each for each in found if each.measure in wanted | ASIDES)


def _leave_nothing(place: Place) -> None:
    """What the group before has left to do must not be done, and measured, in the next."""
    cast("Any", redis()).flushdb()
    for url in (place.product_url, place.reference_url):
        with connected(url) as connection:
            empty(connection)
            tidy(connection)


def _told(found: Figure | Fact) -> str:
    if isinstance(found, Figure):
        unit = MEASURES[found.name].unit
        return f"{found.name}: {found.ratio:.2f} ({found.ours:,.0f} : {found.reference:,.0f} {unit}/s)"
    return f"{found.name}: {found.value:.2f} {LIMITS[found.measure].unit}"
