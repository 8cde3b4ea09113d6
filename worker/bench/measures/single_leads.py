"""Jobs of one lead, from the door to applied, against Celery tasks that do nothing."""

import json
from collections.abc import Callable, Generator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any, cast

from worker import nudges
from worker.bench import product
from worker.bench.clients import Callers
from worker.bench.database import Connection, connected, empty, tidy
from worker.bench.figures import Figure, Round, Sizes, in_turn, speed_of
from worker.bench.made_up_leads import Lead, made_up_leads, parts_of, request_body
from worker.bench.place import Place
from worker.bench.programs import ENROLLING, api, celery_worker, intake, noop_worker
from worker.bench.references.noops import speed_of_noops
from worker.stream_queue import STREAM

# As many requests are under way at a time: 2 processes, because each of them takes from the machine what it measures.
CLIENTS, CONNECTIONS = 2, 32
_ENTRIES_A_TRIP = 500


@contextmanager
def over_http(place: Place, sizes: Sizes, _: AbstractSet[str]) -> Generator[Round]:
    """Measure requests of one lead."""
    with (
        connected(place.product_url) as ours,
        celery_worker(place, ENROLLING),
        noop_worker(place),
        api(place) as (_pid, port),
    ):
        callers = Callers(place, port, CLIENTS, CONNECTIONS)
        product.warm_up(ours)
        _speed_over_http(ours, callers, made_up_leads(500, seed=1))
        yield lambda number: [
            _against_noops(
                "single_lead_http",
                number,
                sizes.noops,
                lambda: _speed_over_http(ours, callers, made_up_leads(sizes.http_jobs, seed=number)),
            )
        ]


@contextmanager
def through_the_stream(place: Place, sizes: Sizes, _: AbstractSet[str]) -> Generator[Round]:
    """Measure entries of one lead, added in one go."""
    with connected(place.product_url) as ours, celery_worker(place, ENROLLING), noop_worker(place), intake(place):
        product.warm_up(ours)
        _speed_of_stream(ours, made_up_leads(500, seed=1))
        yield lambda number: [
            _against_noops(
                "single_lead_stream",
                number,
                sizes.noops,
                lambda: _speed_of_stream(ours, made_up_leads(sizes.stream_jobs, seed=number)),
            )
        ]


def _against_noops(measure: str, number: int, count: int, ours: Callable[[], float]) -> Figure:
    speeds = in_turn(number, {"ours": ours, "noops": lambda: speed_of_noops(count)})
    return Figure(measure, speeds["ours"], speeds["noops"])


def _speed_over_http(ours: Connection, callers: Callers, leads: Sequence[Lead]) -> float:
    campaign = product.new_campaign()
    empty(ours)
    tidy(ours)
    with callers.ready(campaign, map(request_body, parts_of(leads, 1))) as send:

        def work() -> None:
            send()
            product.wait_all_applied(ours, campaign)

        speed = speed_of(len(leads), work)
    product.require_counts(ours, campaign, created=len(leads))
    return speed


def _speed_of_stream(ours: Connection, leads: Sequence[Lead]) -> float:
    campaign = product.new_campaign()
    empty(ours)
    tidy(ours)
    entries = [{"campaign_id": campaign.public_id, "leads": json.dumps([lead])} for lead in leads]
    speed = speed_of(len(leads), lambda: product.wait_key_applied(ours, _add(entries)))
    product.require_counts(ours, campaign, created=len(leads))
    return speed


def _add(entries: Sequence[dict[str, str]]) -> str:
    """Add entries to the stream; give the id of the last."""
    last = b""
    for start in range(0, len(entries), _ENTRIES_A_TRIP):
        with cast("Any", nudges.redis()).pipeline(transaction=False) as trip:
            for entry in entries[start : start + _ENTRIES_A_TRIP]:
                trip.xadd(STREAM, entry)
            last = trip.execute()[-1]
    return last.decode()
