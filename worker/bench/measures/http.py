"""Requests of 500 leads over HTTP, to the committed job and to the applied one, against F."""

from collections.abc import Generator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager

from worker.bench import product
from worker.bench.clients import ASYNCHRONOUS, WAITING, Callers
from worker.bench.database import Connection, connected, empty, tidy
from worker.bench.figures import Figure, Round, Sizes, in_turn, speed_of
from worker.bench.made_up_leads import Lead, made_up_leads, parts_of, request_body
from worker.bench.place import Place
from worker.bench.programs import ENROLLING, api, celery_worker
from worker.bench.references.copy_loop import CopyLoop, lines_of
from worker.store.tables import Campaign

CLIENTS = 4


@contextmanager
def accepting(place: Place, sizes: Sizes, _: AbstractSet[str]) -> Generator[Round]:
    """Measure one process of the API to the last committed job; no worker runs."""
    with connected(place.product_url) as ours, connected(place.reference_url) as theirs, api(place) as (_pid, port):
        sides = Sides(ours, CopyLoop(theirs), Callers(place, port, CLIENTS, 1), sizes.leads)
        sides.warm_up(ASYNCHRONOUS)
        yield lambda number: [sides.figure("accept", number, ASYNCHRONOUS, applied=False)]


@contextmanager
def to_applied(place: Place, sizes: Sizes, _: AbstractSet[str]) -> Generator[Round]:
    """Measure until the last job is applied: clients that do not wait for their jobs, and such as do."""
    with (
        connected(place.product_url) as ours,
        connected(place.reference_url) as theirs,
        celery_worker(place, ENROLLING),
        api(place) as (_pid, port),
    ):
        sides = Sides(ours, CopyLoop(theirs), Callers(place, port, CLIENTS, 1), sizes.leads)
        product.warm_up(ours)
        sides.warm_up(WAITING)
        yield lambda number: _to_applied(sides, number)


def _to_applied(sides: "Sides", number: int) -> Iterator[Figure]:
    yield sides.figure("http_to_applied", number, ASYNCHRONOUS, applied=True)
    yield sides.figure("http_waiting", number, WAITING, applied=True)


class Sides:
    """Clients of the API, and the loop; every figure is taken in a campaign of its own, in empty tables."""

    def __init__(self, ours: Connection, loop: CopyLoop, callers: Callers, leads: int) -> None:
        self._ours = ours
        self._loop = loop
        self._callers = callers
        self._leads = leads

    def warm_up(self, prefer: str) -> None:
        """Let the API make its connections."""
        self._our_speed(made_up_leads(5_000, seed=1), prefer, applied=prefer == WAITING)

    def figure(self, measure: str, number: int, prefer: str, *, applied: bool) -> Figure:
        """Measure both sides on the same leads."""
        leads = made_up_leads(self._leads, seed=number)
        speeds = in_turn(
            number,
            {
                "ours": lambda: self._our_speed(leads, prefer, applied=applied),
                "loop": lambda: self._loop_speed(leads),
            },
        )
        return Figure(measure, speeds["ours"], speeds["loop"])

    def _our_speed(self, leads: Sequence[Lead], prefer: str, *, applied: bool) -> float:
        campaign = product.new_campaign()
        if not applied:
            product.hold_nudges(campaign)
        empty(self._ours)
        tidy(self._ours)
        with self._callers.ready(campaign, map(request_body, parts_of(leads)), prefer) as send:

            def work() -> None:
                send()
                if applied:
                    product.wait_all_applied(self._ours, campaign)

            speed = speed_of(len(leads), work)
        self._require(campaign, len(leads), applied=applied)
        return speed

    def _loop_speed(self, leads: Sequence[Lead]) -> float:
        empty(self._loop.connection)
        lines = lines_of(leads)
        tidy(self._loop.connection)
        return speed_of(len(leads), lambda: self._loop.bring_in(0, lines))

    def _require(self, campaign: Campaign, leads: int, *, applied: bool) -> None:
        if applied:
            product.require_counts(self._ours, campaign, created=leads)
        else:
            product.require_accepted(self._ours, campaign, leads)
