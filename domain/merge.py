"""The merge rule, written once for reading and proving; the store carries the same rule as set-based SQL."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from domain.rows import STANDARD_FIELDS, Given, Value

Outcome = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class LeadFields:
    """What a lead stores besides its email. A cleared standard field is None, a cleared variable is gone."""

    standard: Mapping[str, Value] = field(default_factory=lambda: dict.fromkeys(STANDARD_FIELDS))
    variables: Mapping[str, Value] = field(default_factory=dict[str, Value])


def merge(stored: LeadFields, given: Given) -> LeadFields:
    """Apply what a row says: an absent key keeps its value, None clears it, anything else replaces it."""
    standard = {name: given.get(name, kept) for name, kept in stored.standard.items()}
    variables = {**stored.variables, **{k: v for k, v in given.items() if k not in STANDARD_FIELDS}}
    return replace(
        stored,
        standard=standard,
        variables={name: value for name, value in variables.items() if value is not None},
    )


def same(one: LeadFields, other: LeadFields) -> bool:
    """Compare as canonical JSON does: 1 and true differ, 1 and 1.0 do not."""
    return one.standard == other.standard and _typed(one.variables) == _typed(other.variables)


def apply(leads: dict[str, LeadFields], rows: Mapping[str, Given]) -> list[Outcome]:
    """Merge the folded rows of one job into `leads`, in place; give the outcome of each row, in order."""
    return [_apply_row(leads, email, given) for email, given in rows.items()]


def apply_all(jobs: Iterable[Mapping[str, Given]]) -> tuple[dict[str, LeadFields], list[list[Outcome]]]:
    """Apply jobs one after another to an empty campaign: what the store must equal, counts included."""
    leads: dict[str, LeadFields] = {}
    return leads, [apply(leads, rows) for rows in jobs]


def _apply_row(leads: dict[str, LeadFields], email: str, given: Given) -> Outcome:
    stored = leads.get(email)
    leads[email] = merged = merge(stored or LeadFields(), given)
    if stored is None:
        return "created"
    return "unchanged" if same(stored, merged) else "updated"


def _typed(variables: Mapping[str, Value]) -> dict[str, tuple[bool, Value]]:
    return {name: (isinstance(value, bool), value) for name, value in variables.items()}
