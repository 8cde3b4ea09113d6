"""A large CSV by `enroll import`, against F; and the memory that it takes, through the file and over HTTP."""

import subprocess
import sys
from collections.abc import Generator, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path

from domain.api_key import DEFAULT_SCOPES
from worker.bench import product
from worker.bench.csv_of_leads import parts, write_csv
from worker.bench.database import Connection, connected, empty, tidy
from worker.bench.figures import Fact, Figure, Round, Sizes, in_turn, speed_of
from worker.bench.place import Place
from worker.bench.processes import Watch, can_be_seen, watching
from worker.bench.programs import ENROLLING, MeasureFailed, api, celery_worker
from worker.bench.references.copy_loop import CopyLoop, lines_of
from worker.store.api_keys import create_key
from worker.store.tables import Campaign
from worker.store.workspaces import DEFAULT_WORKSPACE

_WITHIN_SECONDS = 1_800


@contextmanager
def importing(place: Place, sizes: Sizes, _: AbstractSet[str]) -> Generator[Round]:
    """Measure from the start of the command to its end, when the last row is applied."""
    with (
        connected(place.product_url) as ours,
        connected(place.reference_url) as theirs,
        celery_worker(place, ENROLLING),
    ):
        product.warm_up(ours)
        write_csv(_file(place), sizes.import_rows)
        loop = CopyLoop(theirs)
        yield lambda number: [_import(number, place, ours, loop, sizes.import_rows)]


def _import(number: int, place: Place, ours: Connection, loop: CopyLoop, rows: int) -> Figure:
    sides = {"ours": lambda: _speed_of_import(place, ours, rows), "loop": lambda: _speed_of_loop(loop, rows)}
    speeds = in_turn(number, sides)
    return Figure("import", speeds["ours"], speeds["loop"])


def _speed_of_import(place: Place, ours: Connection, rows: int) -> float:
    campaign = product.new_campaign()
    empty(ours)
    tidy(ours)
    speed = speed_of(rows, lambda: _wait(_started_import(place, campaign)))
    product.require_counts(ours, campaign, created=rows)
    return speed


def _speed_of_loop(loop: CopyLoop, rows: int) -> float:
    empty(loop.connection)
    lines = list(chain.from_iterable(map(lines_of, parts(rows))))
    tidy(loop.connection)
    return speed_of(rows, lambda: loop.bring_in(0, lines))


@contextmanager
def peaks(place: Place, sizes: Sizes, _: AbstractSet[str]) -> Generator[Round]:
    """Measure the memory of everyone on the way of as many rows, from a file and over HTTP; once, not each round."""
    write_csv(_file(place), sizes.import_rows)
    with (
        connected(place.product_url) as ours,
        celery_worker(place, ENROLLING) as worker,
        api(place) as (api_pid, port),
        watching() as watch,
    ):
        watch.add("worker", worker)
        watch.add("api", api_pid)
        yield lambda number: [] if number or not can_be_seen() else _peaks(place, ours, watch, port)


def _peaks(place: Place, ours: Connection, watch: Watch, port: int) -> Iterator[Fact]:
    empty(ours)
    importer = _started_import(place, product.new_campaign())
    watch.add("importer", importer.pid)
    _wait(importer)
    campaign = product.new_campaign()
    _upload(port, campaign, _file(place))
    product.wait_all_applied(ours, campaign)
    watch.look()
    for name, megabytes in watch.largest.items():
        yield Fact(f"peak_mb.{name}", megabytes)
    for name, megabytes in watch.whole.items():
        yield Fact(f"peak_mb_of_all_processes.{name}", megabytes)


def _upload(port: int, campaign: Campaign, file: Path) -> None:
    key = create_key(DEFAULT_WORKSPACE, "bench", DEFAULT_SCOPES)
    headers = {"Authorization": f"Bearer {key.token}", "Content-Type": "text/csv"}
    connection = HTTPConnection("127.0.0.1", port, timeout=_WITHIN_SECONDS)
    with file.open("rb") as body:
        connection.request("POST", f"/v1/campaigns/{campaign.public_id}/leads/import", body, headers)
        status = connection.getresponse().status
    connection.close()
    if status != 202:  # noqa: PLR2004  # accepted
        raise MeasureFailed(f"the upload was answered with {status}")


def _started_import(place: Place, campaign: Campaign) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "worker", "import", str(_file(place)), "--campaign", campaign.public_id, "--json"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603  # our own


def _wait(importer: "subprocess.Popen[bytes]") -> None:
    if importer.wait(_WITHIN_SECONDS):
        raise MeasureFailed(f"enroll import ended with exit code {importer.returncode}")


def _file(place: Place) -> Path:
    return place.folder / "leads.csv"
