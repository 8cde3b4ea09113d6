"""A run: every measure that is wanted, round by round."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from worker.bench.catalogue import ASIDES, GROUPS, MEASURES
from worker.bench.database import connected
from worker.bench.figures import Figure, Sizes
from worker.bench.machine import facts
from worker.bench.place import Place, prepared_place
from worker.embedded.process import Say


class Plan(NamedTuple):
    """What to measure, how often, and with how much work each time."""

    wanted: AbstractSet[str]
    rounds: int
    sizes: Sizes


class Results(NamedTuple):
    """All figures of a run."""

    figures: list[Figure]
    machine: dict[str, str | int]


def run(plan: Plan, folder: Path, database_url: str | None, say: Say) -> Results:
    """Measure in servers of its own; tell each figure as it comes."""
    with prepared_place(folder, database_url, say) as place:
        with connected(place.product_url) as connection:
            machine = facts(connection)
        return Results(list(_figures(plan, place, say)), machine)


def _figures(plan: Plan, place: Place, say: Say) -> Iterator[Figure]:
    for keys, group in GROUPS:
        wanted = plan.wanted & keys
        if not wanted:
            continue
        with group(place, plan.sizes, wanted) as measure:
            for number in range(plan.rounds):
                for figure in measure(number):
                    if figure.measure in wanted | ASIDES.keys():
                        say(_told(figure, number))
                        yield figure


def _told(figure: Figure, number: int) -> str:
    unit = (MEASURES | ASIDES)[figure.measure].unit
    return (
        f"round {number + 1}  {figure.measure}: {figure.ratio:.2f} "
        f"({figure.ours:,.0f} : {figure.reference:,.0f} {unit}/s)"
    )
