"""Bulk upserts made up for the tests: few emails, few keys, few values, so that they meet."""

import random
from typing import Any

EMAILS = [f"lead{number}@example.test" for number in range(12)]
VALUES: list[Any] = [None, "", "x", "Zoë\tA\nB\\.", 0, 1, True, False, 1.5, "null", "1", 10**25]
STANDARD_VALUES: list[Any] = [None, "", "Ana", "O'Neil\\N", "a\tb\r\nc"]
VARIABLES = ["a", "b", "useCase"]


def some_lead(chance: random.Random) -> dict[str, Any]:
    lead: dict[str, Any] = {"email": chance.choice(EMAILS)}
    for field in ("firstName", "company", "jobTitle"):
        if chance.random() < 0.4:
            lead[field] = chance.choice(STANDARD_VALUES)
    for name in VARIABLES:
        if chance.random() < 0.4:
            lead[name] = chance.choice(VALUES)
    return lead


def some_leads(chance: random.Random, at_most: int = 8) -> list[dict[str, Any]]:
    """One request: mostly good rows, now and then a bad one among them."""
    leads = [some_lead(chance) for _ in range(chance.randint(1, at_most))]
    if chance.random() < 0.3:
        leads.insert(chance.randrange(len(leads) + 1), {"email": "no address"})
    return leads
