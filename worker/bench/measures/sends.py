"""Sends: waiting leads released, against the bare statement; messages written to files, against no-ops."""

from collections.abc import Callable, Generator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from time import monotonic, sleep

from worker.bench import product
from worker.bench.database import Connection, connected, empty, one_value, tidy
from worker.bench.figures import Figure, Round, Sizes, in_turn, speed_of
from worker.bench.filling import fill_with_leads, fill_with_sends
from worker.bench.place import Place
from worker.bench.programs import DELIVERY, ENROLLING, MeasureFailed, celery_worker, noop_worker
from worker.bench.references.bare_release import release_all
from worker.bench.references.noops import speed_of_noops
from worker.store.campaigns import start_campaign

_WITHIN_SECONDS = 600.0
_LOOK_EVERY_SECONDS = 0.005

_SENDS = "SELECT count(*) FROM send WHERE campaign_id = %s"
# Both ends of the primary key, which takes nothing from the workers: numbers are given out without gaps.
_LATEST_SENDS = "SELECT (SELECT id FROM send ORDER BY id DESC LIMIT 1) - (SELECT id FROM send ORDER BY id LIMIT 1) + 1"
_QUEUED = (
    "SELECT 1 FROM send WHERE campaign_id BETWEEN %s AND %s AND status = 'queued' ORDER BY campaign_id, id LIMIT 1"
)


@contextmanager
def releasing(place: Place, sizes: Sizes, _: AbstractSet[str]) -> Generator[Round]:
    """Measure from starting a campaign until everyone who waits in it is released; nothing is delivered."""
    with (
        connected(place.product_url) as ours,
        connected(place.reference_url) as theirs,
        celery_worker(place, ENROLLING),
    ):
        product.warm_up(ours)
        _speed_of_release(ours, 1_000)
        yield lambda number: [_release(number, ours, theirs, sizes.releases)]


@contextmanager
def delivering(place: Place, sizes: Sizes, _: AbstractSet[str]) -> Generator[Round]:
    """Measure from starting a campaign whose sends are queued until the last message is on disk, and known to be."""
    with connected(place.product_url) as ours, celery_worker(place, DELIVERY), noop_worker(place):
        _speed_of_delivery(place, ours, 1_000)
        speed_of_noops(1_000)
        yield lambda number: [_deliver(number, place, ours, sizes)]


def _release(number: int, ours: Connection, theirs: Connection, leads: int) -> Figure:
    speeds = in_turn(
        number, {"ours": lambda: _speed_of_release(ours, leads), "bare": lambda: _speed_of_bare_release(theirs, leads)}
    )
    return Figure("release", speeds["ours"], speeds["bare"])


def _speed_of_release(ours: Connection, leads: int) -> float:
    campaign = product.new_campaign()
    empty(ours)
    fill_with_leads(ours, campaign.number, leads)
    tidy(ours)

    def work() -> None:
        start_campaign(campaign.public_id)
        _wait(lambda: (one_value(ours, _LATEST_SENDS) or 0) >= leads)

    speed = speed_of(leads, work)
    _require_sends(ours, campaign.number, leads)
    return speed


def _speed_of_bare_release(theirs: Connection, leads: int) -> float:
    empty(theirs)
    fill_with_leads(theirs, 0, leads)
    tidy(theirs)
    speed = speed_of(leads, lambda: release_all(theirs, 0))
    _require_sends(theirs, 0, leads)
    return speed


def _deliver(number: int, place: Place, ours: Connection, sizes: Sizes) -> Figure:
    speeds = in_turn(
        number,
        {
            "ours": lambda: _speed_of_delivery(place, ours, sizes.messages),
            "noops": lambda: speed_of_noops(sizes.noops),
        },
    )
    return Figure("deliver", speeds["ours"], speeds["noops"])


def _speed_of_delivery(place: Place, ours: Connection, messages: int) -> float:
    _empty_outbox(place)
    campaign = product.new_campaign()
    empty(ours)
    fill_with_sends(ours, campaign.number, messages)
    tidy(ours)

    def work() -> None:
        start_campaign(campaign.public_id)
        _wait(lambda: one_value(ours, _QUEUED, campaign.number, campaign.number) is None)

    speed = speed_of(messages, work)
    found = sum(1 for _ in place.outbox.glob("*.eml"))
    if found != messages:
        raise MeasureFailed(f"{found:,} messages are on disk where {messages:,} should be")
    return speed


def _empty_outbox(place: Place) -> None:
    # File by file: its folders for unfinished messages are in use.
    for message in place.outbox.glob("*.eml"):
        message.unlink()


def _require_sends(connection: Connection, campaign: int, leads: int) -> None:
    found = one_value(connection, _SENDS, campaign)
    if found != leads:
        raise MeasureFailed(f"{found:,} sends are there where {leads:,} should be")


def _wait(is_done: Callable[[], bool]) -> None:
    deadline = monotonic() + _WITHIN_SECONDS
    while not is_done():
        if monotonic() > deadline:
            raise MeasureFailed(f"sends were not done within {_WITHIN_SECONDS:.0f} s")
        sleep(_LOOK_EVERY_SECONDS)
