"""A CSV as large as wanted, and the same rows for the references, made a part at a time."""

import csv
from collections.abc import Iterator
from pathlib import Path

from worker.bench.made_up_leads import STANDARD_FIELDS, VARIABLES, Lead, made_up_leads

_PART_ROWS = 50_000
_FIRST_SEED = 10_000
_COLUMNS = ("email", *STANDARD_FIELDS, *VARIABLES)


def write_csv(path: Path, rows: int) -> None:
    """Write the file."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for part in parts(rows):
            writer.writerows([lead[name] for name in _COLUMNS] for lead in part)


def parts(rows: int) -> Iterator[list[Lead]]:
    """Give the rows, all their values texts, as in the file."""
    for seed, start in enumerate(range(0, rows, _PART_ROWS), start=_FIRST_SEED):
        leads = made_up_leads(min(_PART_ROWS, rows - start), seed=seed)
        yield [{name: str(value) for name, value in lead.items()} for lead in leads]
