"""Leads as an import brings them: an email, three standard fields, three custom variables, in no order of addresses."""

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

Lead = dict[str, Any]

JOB_LEADS = 500
STANDARD_FIELDS = ("firstName", "company", "jobTitle")
VARIABLES = ("useCase", "score", "newsletter")


def made_up_leads(count: int, *, seed: int = 7) -> list[Lead]:
    """Make leads, the same for the same seed; those of different seeds have no address in common."""
    chance = random.Random(seed)  # noqa: S311  # nothing is kept secret with it
    return [
        {
            "email": f"{chance.choice(['ana', 'ben', 'zoe'])}.{number}.{seed}@company{number % 4_999}.example",
            "firstName": chance.choice(["Ana", "Ben", "Zoë"]),
            "company": f"Company {number % 4_999} Ltd",
            "jobTitle": chance.choice(["CTO", "Head of Growth", "Account Executive"]),
            "useCase": f"onboarding of team {number % 31}",
            "score": number % 100,
            "newsletter": number % 2 == 0,
        }
        for number in chance.sample(range(10 * count), count)
    ]


def changed(lead: Lead) -> Lead:
    """Give the lead with another title and score."""
    return {**lead, "jobTitle": f"{lead['jobTitle']} II", "score": lead["score"] + 1}


def parts_of(leads: Sequence[Lead], size: int = JOB_LEADS) -> Iterator[Sequence[Lead]]:
    """Cut leads into jobs."""
    return (leads[start : start + size] for start in range(0, len(leads), size))


def variables_of(lead: Lead) -> Lead:
    """Give the custom variables of a lead."""
    return {name: lead[name] for name in VARIABLES}


def request_body(leads: Sequence[Lead]) -> bytes:
    """Give the body of the HTTP call, on one line."""
    return json.dumps({"leads": leads}).encode()
