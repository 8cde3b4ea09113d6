"""What a run says: JSON for programs, a table for people."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from worker.bench.catalogue import ASIDES, MEASURES
from worker.bench.figures import Figure
from worker.bench.run import Results

HEADINGS = ("ratio", "min", "median", "max", "must reach", "aim", "ours", "reference", "", "what")


def as_json(results: Results) -> dict[str, Any]:
    """Give the medians under `ratios`, and beside them how far the rounds lay apart and what they are ratios of."""
    by_measure = _by_measure(results.figures)
    return {
        "ratios": {name: round(median(_ratios(of)), 3) for name, of in by_measure.items() if name in MEASURES},
        "spread": {name: _spread(_ratios(of)) for name, of in by_measure.items()},
        "rates": {name: _rates(name, of) for name, of in by_measure.items()},
        "machine": results.machine,
    }


def as_rows(results: Results) -> list[list[str]]:
    """Give a line for each ratio."""
    return [_row(name, of) for name, of in _by_measure(results.figures).items()]


def as_pairs(results: Results) -> list[tuple[str, object]]:
    """Give what the figures are of."""
    return [*results.machine.items()]


def _by_measure(figures: Sequence[Figure]) -> dict[str, list[Figure]]:
    names = [name for name in (*MEASURES, *ASIDES) if any(figure.measure == name for figure in figures)]
    return {name: [figure for figure in figures if figure.measure == name] for name in names}


def _row(name: str, figures: Sequence[Figure]) -> list[str]:
    measure, ratios, rates = (MEASURES | ASIDES)[name], _spread(_ratios(figures)), _rates(name, figures)
    required = [f"{measure.must_reach:g}", f"{measure.aim:g}"] if measure.must_reach else ["", ""]
    numbers = [f"{ratios[key]:.2f}" for key in ("min", "median", "max")]
    speeds = [f"{rates[key]:,}" for key in ("ours", "reference")]
    return [name, *numbers, *required, *speeds, f"{measure.unit}/s", measure.what]


def _ratios(figures: Sequence[Figure]) -> list[float]:
    return [figure.ratio for figure in figures]


def _spread(ratios: Sequence[float]) -> dict[str, float]:
    return {
        "min": round(min(ratios), 3),
        "median": round(median(ratios), 3),
        "max": round(max(ratios), 3),
        "rounds": len(ratios),
    }


def _rates(name: str, figures: Sequence[Figure]) -> dict[str, Any]:
    return {
        "ours": round(median(figure.ours for figure in figures)),
        "reference": round(median(figure.reference for figure in figures)),
        "unit": f"{(MEASURES | ASIDES)[name].unit}/s",
    }
