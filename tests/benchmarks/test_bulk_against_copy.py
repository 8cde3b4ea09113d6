"""Leads a second through Celery workers, against a bare COPY + INSERT … ON CONFLICT loop on the same server.

Side by side in one run, because only their ratio says something on a machine that others use too:

    .venv/bin/pytest -m benchmark tests/benchmarks -s -n 0

Both sides begin with rows ready for COPY, 500 at a time: in memory for the loop, in accepted jobs for the workers.
Nothing is asserted about speed; but what was measured must have been done, and by both sides alike.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import psycopg
import pytest
from conftest import Store
from support.fleet import Workers
from support.polling import pause

from worker import nudges
from worker.store import ledger
from worker.store.tables import Campaign

NewCampaign = Callable[..., Campaign]
Lead = dict[str, Any]

LEADS, LEADS_A_JOB, ROUNDS = 100_000, 500, 5
MEASURES = ("new", "updated", "unchanged")
STANDARD_FIELDS = ("firstName", "company", "jobTitle")


class Side(Protocol):
    """One way to bring leads into a campaign. Only `run` is timed."""

    connection: psycopg.Connection[Any]
    campaign: int

    def begin_campaign(self) -> None: ...
    def prepare(self, leads: Sequence[Lead]) -> None: ...
    def run(self) -> None: ...


class BareLoop:
    """What an expert writes by hand: one connection, 500 rows a transaction, nothing made or sent twice.

    The bytes are made beforehand, the statement is prepared, the temporary table is emptied by each commit. The plan is
    a scan of that table, which no statistics can turn into something slow. The WHERE nearly halves the time of rows
    that do not change and costs the others nothing; sorting by email gains nothing.
    """

    _INCOMING = """
    CREATE TEMPORARY TABLE incoming (
        email text COLLATE "C", first_name text COLLATE "C", company text COLLATE "C", job_title text COLLATE "C",
        custom_variables jsonb
    ) ON COMMIT DELETE ROWS
    """
    _MERGE = """
    INSERT INTO lead (campaign_id, email, first_name, company, job_title, custom_variables)
    SELECT %s, email, first_name, company, job_title, custom_variables FROM incoming
    ON CONFLICT (campaign_id, email) DO UPDATE SET
        first_name = excluded.first_name, company = excluded.company, job_title = excluded.job_title,
        custom_variables = lead.custom_variables || excluded.custom_variables, updated_at = now()
    WHERE (lead.first_name, lead.company, lead.job_title, lead.custom_variables) IS DISTINCT FROM
        (excluded.first_name, excluded.company, excluded.job_title, lead.custom_variables || excluded.custom_variables)
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(self._INCOMING)
        self.connection = connection
        self.campaign = 0
        self._parts: list[bytes] = []

    def begin_campaign(self) -> None:
        self.campaign += 1

    def prepare(self, leads: Sequence[Lead]) -> None:
        self._parts = ["".join(map(copy_line, part)).encode() for part in parts_of(leads)]

    def run(self) -> None:
        for part in self._parts:
            with self.connection.transaction(), self.connection.cursor() as cursor:
                with cursor.copy("COPY incoming FROM STDIN") as copy:
                    copy.write(part)
                cursor.execute(self._MERGE, [self.campaign], prepare=True)


class CeleryWorkers:
    """What is measured: accepted jobs of 500 leads, from the nudge until the database calls the last one applied.

    The campaign is a draft, so that no sends are made of its leads: the loop makes none.
    """

    def __init__(self, connection: psycopg.Connection[Any], new_campaign: NewCampaign) -> None:
        self.connection = connection
        self.campaign, self._campaign_id = 0, ""
        self._new_campaign = new_campaign
        self._last_job = 0

    def begin_campaign(self) -> None:
        campaign = self._new_campaign()
        self.campaign, self._campaign_id = campaign.number, campaign.public_id

    def prepare(self, leads: Sequence[Lead]) -> None:
        with pytest.MonkeyPatch.context() as quietly:
            quietly.setattr(nudges, "apply", lambda _: None)
            for part in parts_of(leads):
                self._last_job = ledger.accept(self._campaign_id, part).job_number

    def run(self) -> None:
        nudges.apply(self._campaign_id)
        while self._status_of(self._last_job) == "accepted":
            pause(0.005)

    def _status_of(self, job: int) -> str:
        # A lane works in order, so the last job speaks for all; and looking at one row takes nothing from the workers.
        row = self.connection.execute("SELECT status FROM job WHERE id = %s", [job], prepare=True).fetchone()
        return row[0] if row else "missing"


class Figure(NamedTuple):
    """One measure of one round, in leads a second."""

    measure: str
    workers: float
    loop: float

    @property
    def ratio(self) -> float:
        return self.workers / self.loop


@pytest.fixture
def loop(store: Store, migrated: str) -> Iterator[BareLoop]:
    """In a database of its own, made like the workers'."""
    with connected(store.database_url) as administration:
        administration.execute(f'CREATE DATABASE bare_loop TEMPLATE "{migrated}"')
    with connected(urlsplit(store.database_url)._replace(path="/bare_loop").geturl()) as connection:
        yield BareLoop(connection)


@pytest.fixture
def workers(store: Store, new_campaign: NewCampaign) -> Iterator[CeleryWorkers]:
    with connected(store.database_url) as connection, Workers(store.data_dir):
        yield CeleryWorkers(connection, new_campaign)


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_both_sides_bring_in_the_same_leads_and_how_fast(loop: BareLoop, workers: CeleryWorkers) -> None:
    assert_nothing_is_spared(loop.connection)
    for side in (loop, workers):
        warm_up(side)

    figures = [figure for number in range(ROUNDS) for figure in one_round(number, workers, loop)]

    print(f"\n{table_of(figures)}\n{json.dumps([figure._asdict() for figure in figures])}")  # noqa: T201


def connected(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url, autocommit=True)


def assert_nothing_is_spared(connection: psycopg.Connection[Any]) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)


def warm_up(side: Side) -> None:
    """Another campaign: connections made, modules loaded, caches filled."""
    side.begin_campaign()
    side.prepare(some_leads(LEADS // 10))
    side.run()


def one_round(number: int, workers: CeleryWorkers, loop: BareLoop) -> Iterator[Figure]:
    """All measures in one new campaign; each round the other side goes first."""
    sides: tuple[Side, ...] = (workers, loop) if number % 2 else (loop, workers)
    for side in sides:
        side.begin_campaign()
    leads = some_leads(LEADS)
    later = [*map(changed, leads)]
    for measure, rows in zip(MEASURES, (leads, later, later), strict=True):
        speeds = {side: speed_of(side, rows) for side in sides}
        assert_done(measure, workers, loop)
        yield Figure(measure, speeds[workers], speeds[loop])


def speed_of(side: Side, leads: Sequence[Lead]) -> float:
    side.prepare(leads)
    # What earlier measures left to do is not this one's: pages to write, dead rows to clear away.
    side.connection.execute("VACUUM lead")
    side.connection.execute("CHECKPOINT")
    start = perf_counter()
    side.run()
    return len(leads) / (perf_counter() - start)


def assert_done(measure: str, workers: CeleryWorkers, loop: BareLoop) -> None:
    jobs = LEADS // LEADS_A_JOB
    new, unchanged = LEADS * (measure == "new"), LEADS * (measure == "unchanged")
    assert counts_of_latest_jobs(workers, jobs) == (jobs, new, LEADS - new, unchanged)
    assert digest_of_leads(workers) == digest_of_leads(loop)
    assert digest_of_leads(loop)[0] == LEADS


def counts_of_latest_jobs(side: Side, jobs: int) -> Any:
    return side.connection.execute(
        "SELECT count(*), sum(created), sum(updated), sum(unchanged) FROM (SELECT * FROM job"
        " WHERE campaign_id = %s AND status = 'applied' ORDER BY id DESC LIMIT %s) AS latest",
        [side.campaign, jobs],
    ).fetchone()


def digest_of_leads(side: Side) -> Any:
    return side.connection.execute(
        "SELECT count(*), sum(hashtextextended((email, first_name, company, job_title, custom_variables)::text, 0))"
        " FROM lead WHERE campaign_id = %s",
        [side.campaign],
    ).fetchone()


def table_of(figures: Sequence[Figure]) -> str:
    lines = [f"{'':<10}{'workers, leads/s':>27}{'bare loop, leads/s':>27}{'workers : loop':>24}"]
    for measure in MEASURES:
        of_measure = [figure for figure in figures if figure.measure == measure]
        speeds = "".join(
            f"{spread_of([speed(figure) for figure in of_measure], ',.0f'):>27}"
            for speed in (lambda figure: figure.workers, lambda figure: figure.loop)
        )
        lines.append(f"{measure:<10}{speeds}{spread_of([figure.ratio for figure in of_measure], '.2f'):>24}")
    return "\n".join([*lines, f"min / median / max of {ROUNDS} rounds, {LEADS:,} leads each"])


def spread_of(values: Sequence[float], form: str) -> str:
    return " / ".join(format(value, form) for value in (min(values), median(values), max(values)))


def some_leads(count: int) -> list[Lead]:
    """Leads as an import brings them: in no order of their addresses."""
    chance = random.Random(7)
    return [
        {
            "email": f"{chance.choice(['ana', 'ben', 'zoe'])}.{number}@company{number % 4_999}.example",
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
    return {**lead, "jobTitle": f"{lead['jobTitle']} II", "score": lead["score"] + 1}


def parts_of(leads: Sequence[Lead]) -> Iterator[Sequence[Lead]]:
    return (leads[start : start + LEADS_A_JOB] for start in range(0, len(leads), LEADS_A_JOB))


def copy_line(lead: Lead) -> str:
    """The line of a lead that has every field, and nothing that COPY wants escaped."""
    variables = {name: value for name, value in lead.items() if name not in {"email", *STANDARD_FIELDS}}
    return "\t".join([lead["email"], *(lead[name] for name in STANDARD_FIELDS), json.dumps(variables)]) + "\n"
