"""Bulk upserts: accepted jobs of 500 leads of one campaign, through Celery, against F, S and O."""

from collections.abc import Generator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Engine

from worker.bench import product
from worker.bench.database import Connection, connected, empty, one_value, tidy
from worker.bench.figures import Figure, Round, Sizes, in_turn, speed_of
from worker.bench.made_up_leads import Lead, changed, made_up_leads, parts_of
from worker.bench.place import Place
from worker.bench.programs import ENROLLING, MeasureFailed, celery_worker
from worker.bench.references.copy_loop import CopyLoop, lines_of
from worker.bench.references.sqlalchemy_loop import (
    reference_engine,
    rows_of,
    upsert_by_object,
    upsert_by_statement,
)

_DIGEST = """
SELECT ROW(count(*), sum(hashtextextended((email, first_name, company, job_title, custom_variables)::text, 0)))::text
FROM lead WHERE campaign_id = %s
"""


@contextmanager
def bulk(place: Place, sizes: Sizes, wanted: AbstractSet[str]) -> Generator[Round]:
    """Measure new, changed and unchanged leads, and new ones the way SQLAlchemy and SQLModel bring them in."""
    with (
        connected(place.product_url) as ours,
        connected(place.reference_url) as theirs,
        celery_worker(place, ENROLLING),
    ):
        product.warm_up(ours)
        loop = CopyLoop(theirs)
        loop.bring_in(0, lines_of(made_up_leads(2_000)))
        sides = _Sides(ours, loop, reference_engine(place.reference_url), sizes)
        yield lambda number: sides.round(number, wanted)
        sides.engine.dispose()


class _Sides:
    """Both databases; each round begins with empty tables and a campaign of its own."""

    def __init__(self, ours: Connection, loop: CopyLoop, engine: Engine, sizes: Sizes) -> None:
        self.engine = engine
        self._ours = ours
        self._theirs = loop.connection
        self._loop = loop
        self._sizes = sizes
        self._campaign = product.new_campaign()

    def round(self, number: int, wanted: AbstractSet[str]) -> Iterator[Figure]:
        for connection in (self._ours, self._theirs):
            empty(connection)
        self._campaign = product.new_campaign()
        leads = made_up_leads(self._sizes.leads, seed=number)
        new = self._both(number, leads)
        self._require(leads, created=len(leads))
        yield Figure("bulk_new", *new)
        yield from self._against_orms(new[0], leads, wanted)
        if wanted & {"bulk_updated", "bulk_unchanged"}:
            yield from self._later(number, leads)

    def _later(self, number: int, leads: Sequence[Lead]) -> Iterator[Figure]:
        later = [*map(changed, leads)]
        ours, loop = self._both(number, later)
        self._require(leads, updated=len(leads), unchanged=0)
        yield Figure("bulk_updated", ours, loop)
        # Against F's update, as it was just measured: F itself would write every row. With its WHERE it spares that,
        # too, and what it then reaches is told beside the ratios.
        same, spared = self._both(number, later)
        self._require(leads, unchanged=len(leads))
        yield Figure("bulk_unchanged", same, loop)
        yield Figure("unchanged_against_where", same, spared)

    def _both(self, number: int, leads: Sequence[Lead]) -> tuple[float, float]:
        speeds = in_turn(number, {"ours": lambda: self._our_speed(leads), "loop": lambda: self._loop_speed(leads)})
        return speeds["ours"], speeds["loop"]

    def _our_speed(self, leads: Sequence[Lead]) -> float:
        last = product.accept(self._campaign, parts_of(leads))
        tidy(self._ours)

        def work() -> None:
            product.nudge(self._campaign)
            product.wait_applied(self._ours, last)

        return speed_of(len(leads), work)

    def _loop_speed(self, leads: Sequence[Lead]) -> float:
        lines = lines_of(leads)
        tidy(self._theirs)
        return speed_of(len(leads), lambda: self._loop.bring_in(self._campaign.number, lines))

    def _against_orms(self, ours: float, leads: Sequence[Lead], wanted: AbstractSet[str]) -> Iterator[Figure]:
        ways = {
            "against_sqlalchemy": (upsert_by_statement, self._sizes.sqlalchemy_leads),
            "against_orm": (upsert_by_object, self._sizes.orm_leads),
        }
        # In campaigns of their own: numbers that nobody else has.
        for campaign, measure in enumerate(sorted(wanted & ways.keys()), start=-2):
            way, count = ways[measure]
            parts = rows_of(leads[:count])
            tidy(self._theirs)
            yield Figure(measure, ours, speed_of(count, partial(way, self.engine, campaign, parts)))

    def _require(self, leads: Sequence[Lead], **counts: int) -> None:
        """Both sides must have brought in the same leads, and the counts of the jobs must be exact."""
        product.require_counts(self._ours, self._campaign, **counts)
        digests = {one_value(side, _DIGEST, self._campaign.number) for side in (self._ours, self._theirs)}
        if len(digests) > 1 or not next(iter(digests)).startswith(f"({len(leads)},"):
            raise MeasureFailed(f"the two sides hold different leads: {digests}")
