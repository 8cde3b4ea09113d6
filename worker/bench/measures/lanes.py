"""Lanes: one of a campaign that holds millions beside an empty one's, and several at a time with one worker and two."""

from collections.abc import Generator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from itertools import count

from worker.bench import product
from worker.bench.database import Connection, connected, empty, tidy
from worker.bench.figures import Figure, Round, Sizes, in_turn, speed_of
from worker.bench.filling import fill_with_leads
from worker.bench.made_up_leads import made_up_leads, parts_of
from worker.bench.place import Place
from worker.bench.programs import ENROLLING, celery_worker
from worker.store.tables import Campaign

LANES = 4


@contextmanager
def flatness(place: Place, sizes: Sizes, _: AbstractSet[str]) -> Generator[Round]:
    """Measure new leads into a campaign of millions and into an empty one, in the same table."""
    with connected(place.product_url) as ours, celery_worker(place, ENROLLING):
        product.warm_up(ours)
        full = product.new_campaign()
        empty(ours)
        fill_with_leads(ours, full.number, sizes.many_leads)
        tidy(ours)
        seeds = count(1_000)
        # Once untimed: the first write to each page after a checkpoint writes all of the page, and a campaign of
        # millions has thousands. In a store that is in use that happens once in five minutes, not before each job.
        _speed_into(ours, full, sizes.leads, next(seeds))
        yield lambda number: [_flatness(number, ours, full, sizes.leads, next(seeds))]


def _flatness(number: int, ours: Connection, full: Campaign, leads: int, seed: int) -> Figure:
    speeds = in_turn(
        number,
        {
            "full": lambda: _speed_into(ours, full, leads, seed),
            "empty": lambda: _speed_into(ours, product.new_campaign(), leads, seed),
        },
    )
    return Figure("flatness", speeds["full"], speeds["empty"])


def _speed_into(ours: Connection, campaign: Campaign, leads: int, seed: int) -> float:
    last = product.accept(campaign, parts_of(made_up_leads(leads, seed=seed)))
    return speed_of(leads, lambda: _apply(ours, [(campaign, last)]))


@contextmanager
def two_workers(place: Place, sizes: Sizes, _: AbstractSet[str]) -> Generator[Round]:
    """Measure four campaigns with two workers of one process each, and with one."""
    with connected(place.product_url) as ours:
        yield lambda number: [_two_workers(number, place, ours, sizes)]


def _two_workers(number: int, place: Place, ours: Connection, sizes: Sizes) -> Figure:
    speeds = in_turn(
        number,
        {
            "two": lambda: _speed_with(2, place, ours, sizes.leads_a_lane),
            "one": lambda: _speed_with(1, place, ours, sizes.leads_a_lane),
        },
    )
    return Figure("two_workers", speeds["two"], speeds["one"])


def _speed_with(workers: int, place: Place, ours: Connection, leads_a_lane: int) -> float:
    with ExitStack() as running:
        for worker in range(workers):
            running.enter_context(celery_worker(place, ENROLLING, processes=1, name=f"bench{worker}"))
        product.warm_up(ours)
        empty(ours)
        leads = [*parts_of(made_up_leads(leads_a_lane))]
        campaigns = [product.new_campaign() for _ in range(LANES)]
        lanes = [(campaign, product.accept(campaign, leads)) for campaign in campaigns]
        tidy(ours)
        speed = speed_of(LANES * leads_a_lane, lambda: _apply(ours, lanes))
        for campaign in campaigns:
            product.require_counts(ours, campaign, created=leads_a_lane)
        return speed


def _apply(ours: Connection, lanes: Sequence[tuple[Campaign, int]]) -> None:
    for campaign, _ in lanes:
        product.nudge(campaign)
    for _, last in lanes:
        product.wait_applied(ours, last)
