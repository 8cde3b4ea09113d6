"""What can be measured, and what must be reached: ratios of the product's speed to that of a reference."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from typing import NamedTuple

from worker.bench.figures import Round, Sizes
from worker.bench.measures import bulk, http, single_leads
from worker.bench.place import Place


class Measure(NamedTuple):
    """A ratio; `unit`: what both sides do a second."""

    what: str
    unit: str
    must_reach: float
    aim: float


MEASURES = {
    "bulk_new": Measure("500-lead jobs to applied / COPY loop", "leads", 1.0, 1.5),
    "bulk_updated": Measure("the same, all changed / COPY loop", "leads", 0.9, 1.4),
    "bulk_unchanged": Measure("the same, none changed / COPY loop that updates", "leads", 1.8, 3),
    "accept": Measure("500-lead requests to committed / COPY loop", "leads", 0.7, 1.2),
    "http_to_applied": Measure("500-lead requests of 4 clients to applied / COPY loop", "leads", 0.5, 0.8),
    "against_sqlalchemy": Measure("500-lead jobs to applied / SQLAlchemy on_conflict", "leads", 2.5, 5),
    "against_orm": Measure("500-lead jobs to applied / SQLModel select-then-add", "leads", 35, 70),
    "single_lead_http": Measure("1-lead requests to applied / Celery no-ops", "jobs", 1, 2),
    "single_lead_stream": Measure("1-lead stream entries to applied / Celery no-ops", "jobs", 5, 15),
}

# Measured in the same run, because they explain a ratio; nothing must be reached.
ASIDES = {
    "unchanged_against_where": Measure("none changed / COPY loop with a WHERE that spares it", "leads", 0, 0),
    "http_waiting": Measure("500-lead requests of 4 waiting clients / COPY loop", "leads", 0, 0),
}

Group = Callable[[Place, Sizes, AbstractSet[str]], AbstractContextManager[Round]]

GROUPS: list[tuple[AbstractSet[str], Group]] = [
    ({"bulk_new", "bulk_updated", "bulk_unchanged", "against_sqlalchemy", "against_orm"}, bulk.bulk),
    ({"accept"}, http.accepting),
    ({"http_to_applied"}, http.to_applied),
    ({"single_lead_http"}, single_leads.over_http),
    ({"single_lead_stream"}, single_leads.through_the_stream),
]

NAMES = tuple(MEASURES)
