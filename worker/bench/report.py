"""What a run says: JSON for programs, tables for people."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, TypeVar

from worker.bench.catalogue import ASIDES, LIMITS, MEASURES
from worker.bench.figures import Fact, Figure
from worker.bench.run import Results

F = TypeVar("F", Figure, Fact)

RATIO_HEADINGS = ("ratio", "min", "median", "max", "must reach", "aim", "ours", "reference", "", "ours / reference")
LIMIT_HEADINGS = ("value", "median", "at most", "aim", "", "of")


def as_json(results: Results) -> dict[str, Any]:
    """Give the medians, and beside them how far the rounds lay apart, and what the ratios are ratios of."""
    figures = _by_name(results.figures)
    ratios = {name: median(_ratios(of)) for name, of in figures.items()}
    return {
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items() if name not in ASIDES},
        **_nested(results.facts),
        "spread": {name: _spread(_ratios(of)) for name, of in figures.items()},
        "rates": {name: _rates(name, of) for name, of in figures.items()},
        "machine": results.machine,
    }


def ratio_rows(results: Results) -> list[list[str]]:
    """Give a line for each ratio."""
    return [_ratio_row(name, of) for name, of in _by_name(results.figures).items()]


def limit_rows(results: Results) -> list[list[str]]:
    """Give a line for each value that is no ratio."""
    return [_limit_row(name, of) for name, of in _by_name(results.facts).items()]


def _by_name(found: Sequence[F]) -> dict[str, list[F]]:
    names = dict.fromkeys(each.name for each in found)
    return {name: [each for each in found if each.name == name] for name in names}


def _ratio_row(name: str, figures: Sequence[Figure]) -> list[str]:
    measure, ratios, rates = MEASURES[name], _spread(_ratios(figures)), _rates(name, figures)
    numbers = [f"{ratios[key]:.2f}" for key in ("min", "median", "max")]
    speeds = [f"{rates[key]:,}" for key in ("ours", "reference")]
    return [name, *numbers, *_required(measure.must_reach, measure.aim), *speeds, rates["unit"], measure.what]


def _limit_row(name: str, facts: Sequence[Fact]) -> list[str]:
    limit = LIMITS[facts[0].measure]
    value = f"{median(fact.value for fact in facts):.2f}"
    return [name, value, *_required(limit.at_most, limit.aim), limit.unit, limit.what]


def _required(*numbers: float | None) -> list[str]:
    return ["" if number is None else f"{number:g}" for number in numbers]


def _nested(facts: Sequence[Fact]) -> dict[str, Any]:
    """`peak_mb.worker` stands in the object `peak_mb`."""
    nested: dict[str, Any] = {}
    for name, of in _by_name(facts).items():
        value = round(median(fact.value for fact in of), 2)
        outer, _, inner = name.partition(".")
        if inner:
            nested.setdefault(outer, {})[inner] = value
        else:
            nested[outer] = value
    return nested


def _ratios(figures: Iterable[Figure]) -> list[float]:
    return [figure.ratio for figure in figures]


def _spread(ratios: Sequence[float]) -> Mapping[str, float]:
    spread = {"min": min(ratios), "median": median(ratios), "max": max(ratios)}
    return {**{name: round(ratio, 3) for name, ratio in spread.items()}, "rounds": len(ratios)}


def _rates(name: str, figures: Sequence[Figure]) -> dict[str, Any]:
    return {
        "ours": round(median(figure.ours for figure in figures)),
        "reference": round(median(figure.reference for figure in figures)),
        "unit": f"{MEASURES[name].unit}/s",
    }
