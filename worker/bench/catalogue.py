"""What can be measured, and what must be reached.

A ratio is the product's speed to that of a reference. What has no `must_reach` is measured beside others, because it
explains them.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from typing import NamedTuple

from worker.bench.figures import Round, Sizes
from worker.bench.measures import bulk, files, http, lanes, sends, single_leads, whole_stack
from worker.bench.place import Place


class Measure(NamedTuple):
    """A ratio; `unit`: what both sides do a second."""

    unit: str
    must_reach: float | None
    aim: float | None
    what: str


class Limit(NamedTuple):
    """A value that is no ratio; `at_most`: what it may be."""

    unit: str
    at_most: float | None
    aim: float | None
    what: str


MEASURES = {
    "bulk_new": Measure("leads", 1.0, 1.5, "accepted 500-lead jobs to applied / COPY loop"),
    "bulk_updated": Measure("leads", 0.9, 1.4, "the same, all changed / COPY loop"),
    "bulk_unchanged": Measure("leads", 1.8, 3, "the same, none changed / COPY loop that updates"),
    "unchanged_against_where": Measure("leads", None, None, "the same / COPY loop with a WHERE that spares them"),
    "accept": Measure("leads", 0.7, 1.2, "500-lead requests to committed / COPY loop"),
    "http_to_applied": Measure("leads", 0.5, 0.8, "500-lead requests of 4 clients to applied / COPY loop"),
    "http_waiting": Measure("leads", None, None, "the same, each waiting for its job before the next / COPY loop"),
    "against_sqlalchemy": Measure("leads", 2.5, 5, "accepted 500-lead jobs to applied / SQLAlchemy on_conflict"),
    "against_orm": Measure("leads", 35, 70, "the same / SQLModel select-then-add"),
    "single_lead_http": Measure("jobs", 1, 2, "1-lead requests to applied / Celery no-ops"),
    "single_lead_stream": Measure("jobs", 5, 15, "1-lead stream entries to applied / Celery no-ops"),
    "release": Measure("leads", 0.8, 1, "waiting leads to queued sends / the bare statement"),
    "deliver": Measure("messages", 1.5, 4, "queued sends to files / Celery no-ops"),
    "flatness": Measure("leads", 0.8, 0.95, "bulk_new into a campaign of 2,000,000 / into an empty one"),
    "two_workers": Measure("leads", 1.1, 1.5, "bulk_new of 4 campaigns with 2 workers / with 1"),
    "import": Measure("rows", 0.5, 0.8, "enroll import of 1,000,000 rows / COPY loop"),
}

LIMITS = {
    "peak_mb": Limit("MB", 150, 100, "largest process, while 1,000,000 rows come in"),
    "peak_mb_of_all_processes": Limit("MB", None, None, "all its processes together, what they share counted once"),
    "idle_cpu_percent": Limit("%", 2, 0.5, "of a core, the whole stack with nothing to do"),
    "start_seconds": Limit("s", 5, 3, "enroll up, from cold to ready"),
}

ASIDES = {"unchanged_against_where", "http_waiting", "peak_mb_of_all_processes"}
NAMES = tuple(name for name in (*MEASURES, *LIMITS) if name not in ASIDES)

Group = Callable[[Place, Sizes, AbstractSet[str]], AbstractContextManager[Round]]

GROUPS: list[tuple[AbstractSet[str], Group]] = [
    ({"bulk_new", "bulk_updated", "bulk_unchanged", "against_sqlalchemy", "against_orm"}, bulk.bulk),
    ({"accept"}, http.accepting),
    ({"http_to_applied"}, http.to_applied),
    ({"single_lead_http"}, single_leads.over_http),
    ({"single_lead_stream"}, single_leads.through_the_stream),
    ({"release"}, sends.releasing),
    ({"deliver"}, sends.delivering),
    ({"flatness"}, lanes.flatness),
    ({"two_workers"}, lanes.two_workers),
    ({"import"}, files.importing),
    ({"peak_mb"}, files.peaks),
    ({"idle_cpu_percent", "start_seconds"}, whole_stack.whole_stack),
]
