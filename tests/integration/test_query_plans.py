"""The plans of the hot statements, whatever the planner believes: each row is looked up in an index.

The code itself runs, in a transaction that is taken back; each of its statements is explained where it is executed, so
these tests cannot drift away from it. What they compare is how a plan comes to leads, sends and jobs: the index and, in
brackets, the columns that it is searched by. An index that is read from end to end has none.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from conftest import Store
from sqlalchemy import event, text
from sqlmodel import Session
from support.database import sql

from domain.job import BATCH_JOBS
from worker.delivering import BATCH
from worker.reports.ops import failures, in_flight, progress
from worker.reports.ops.stages import release_now
from worker.store import ledger, lookups, merging, outbox, releasing, sweeping
from worker.store.connection import engine, transaction
from worker.store.tables import Campaign

CAMPAIGNS = {"every lead due": 1, "no lead due": 2, "sends to settle": 3, "a small one": 4, "no lead at all": 104}

NEVER_ANALYSED = "never analysed"
TAKEN_FOR_ONE_ROW = "taken for one row"
ANALYSED = "analysed"
ANALYSED_WHEN_SMALL = "analysed at 10,000"


class Stage(NamedTuple):
    """How many leads there are, and what the planner knows about them."""

    leads: int
    belief: str


# In this order they are stages of one database. When it holds 10,000 leads everything is open: all leads are due, all
# jobs accepted. At a million nearly everything is done, and who has not looked since still believes the contrary.
STAGES = [
    Stage(0, NEVER_ANALYSED),
    Stage(0, TAKEN_FOR_ONE_ROW),
    Stage(10_000, NEVER_ANALYSED),
    Stage(10_000, TAKEN_FOR_ONE_ROW),
    Stage(10_000, ANALYSED),
    Stage(1_000_000, ANALYSED_WHEN_SMALL),
    Stage(1_000_000, NEVER_ANALYSED),
    Stage(1_000_000, TAKEN_FOR_ONE_ROW),
    Stage(1_000_000, ANALYSED),
]

_TABLES = ("lead", "send", "job", "campaign")

# No autovacuum: what the planner knows is decided here. No write-ahead log: plans do not depend on it.
_PREPARE = [
    *(f"ALTER TABLE {table} SET (autovacuum_enabled = false)" for table in _TABLES),
    "ALTER TABLE lead SET UNLOGGED",
    "ALTER TABLE send SET UNLOGGED",
    """
    INSERT INTO campaign (id, workspace_id, name, status, sequence_steps) OVERRIDING SYSTEM VALUE
    SELECT n, 1, 'Test', 'running', '[{"subject": "", "bodyHtml": "", "delayDays": 0}]'
    FROM generate_series(1, 104) AS n
    """,
    """
    INSERT INTO job (workspace_id, campaign_id, fingerprint, row_count, received, duplicates, errors)
    SELECT 1, 1 + n % 2, '', 1, 1, 0, 0 FROM generate_series(1, 1000) AS n
    """,
]

_TEN_THOUSAND = [
    """
    INSERT INTO lead (campaign_id, email, custom_variables)
    SELECT 1 + n % 2, 'lead' || n || '@x.test', '{"a": 1}' FROM generate_series(1, 10000) AS n
    """,
    """
    INSERT INTO send (campaign_id, lead_id, step, status)
    SELECT campaign_id, id, 1, CASE WHEN id % 4 < 2 THEN 'queued' ELSE 'sent' END FROM lead
    """,
]

# Sixty leads of a hundred in the campaign where all are due, thirty where none is, the rest in a hundred others.
_MILLION = [
    "UPDATE lead SET status = 'active', position = 1, due_at = NULL WHERE campaign_id = 2",
    "DELETE FROM send",
    """
    UPDATE job SET status = 'applied', created = 1, updated = 0, unchanged = 0, finished_at = now()
    WHERE fingerprint = ''
    """,
    # The indexes are set aside and made anew, which takes half the time of keeping them.
    "UPDATE pg_index SET indisready = false, indisvalid = false WHERE indrelid IN ('lead'::regclass, 'send'::regclass)",
    """
    INSERT INTO lead (campaign_id, email, custom_variables, status, position, due_at)
    SELECT
        campaign, 'lead' || n || '@x.test', '{"a": 1}',
        CASE WHEN campaign = 1 THEN 'waiting' ELSE 'active' END, CASE WHEN campaign = 1 THEN 0 ELSE 1 END,
        CASE WHEN campaign = 1 THEN now() WHEN campaign = 2 AND n % 2 = 0 THEN now() + interval '3 days' END
    FROM generate_series(10001, 1000000) AS n, LATERAL (
        SELECT CASE WHEN n % 10 < 6 THEN 1 WHEN n % 10 < 9 THEN 2 WHEN n % 20 = 9 THEN 3 ELSE 4 + n / 20 % 100 END
    ) AS chosen (campaign)
    """,
    """
    INSERT INTO send (campaign_id, lead_id, step, status, settled)
    SELECT
        campaign_id, id, 1, CASE WHEN campaign_id > 2 AND id % 3 = 0 THEN 'queued' ELSE 'sent' END, campaign_id = 2
    FROM lead WHERE campaign_id > 1
    """,
    "REINDEX TABLE lead",
    "REINDEX TABLE send",
    """
    INSERT INTO job (
        workspace_id, campaign_id, status, fingerprint, row_count, received, duplicates, errors, created, updated
    )
    SELECT 1, 1 + n % 104, 'applied', '', 1, 1, 0, 0, 1, 0 FROM generate_series(1, 20000) AS n
    """,
]

_GROWTH = {0: _PREPARE, 10_000: _TEN_THOUSAND, 1_000_000: _MILLION}

_FORGET_STATISTICS = [
    "DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE relname = ANY(:tables))",
    """
    UPDATE pg_class SET relpages = :pages, reltuples = :rows WHERE relname = ANY(:tables) OR oid IN (
        SELECT indexrelid FROM pg_index JOIN pg_class AS indexed ON indexed.oid = indrelid
        WHERE indexed.relname = ANY(:tables)
    )
    """,
]


class World:
    """A database that grows from stage to stage."""

    def __init__(self) -> None:
        self._leads = -1
        self._grow_to(0)
        self._jobs = {number: _accept_jobs(number) for number in CAMPAIGNS.values()}

    def become(self, stage: Stage) -> None:
        for leads in _GROWTH:
            if self._leads < leads <= stage.leads:
                self._grow_to(leads)
        assert self._leads == stage.leads, "stages come in their order"
        _believe(stage.belief)

    def merge(self, session: Session, campaign: int) -> None:
        merging.apply_jobs(session, campaign, self._jobs[campaign])

    def _grow_to(self, leads: int) -> None:
        if self._leads == 10_000:
            _believe(ANALYSED)
        for statement in _GROWTH[leads]:
            sql(statement)
        self._leads = leads


def _accept_jobs(number: int) -> list[int]:
    """Accept two jobs; of their leads some are new and some are known, once the campaign has leads."""
    with transaction() as session:
        campaign = session.get_one(Campaign, number)
    bodies = [[{"email": f"lead{n}@x.test", "a": job} for n in range(9_900, 10_100)] for job in (1, 2)]
    return [ledger.accept(campaign.public_id, body).job_number for body in bodies]


def _believe(belief: str) -> None:
    match belief:
        case "analysed":
            sql(f"ANALYZE {', '.join(_TABLES)}")
        case "never analysed":
            _note(_TABLES, pages=0, rows=-1)
        case "taken for one row":
            _note(_TABLES, pages=0, rows=-1)
            _note(("lead", "send"), pages=1, rows=0)
        case _:
            assert belief == ANALYSED_WHEN_SMALL


def _note(tables: Sequence[str], *, pages: int, rows: int) -> None:
    """Write down of tables and their indexes what ANALYZE would have; `rows` -1 is never."""
    for statement in _FORGET_STATISTICS:
        sql(statement, tables=list(tables), pages=pages, rows=rows)


@pytest.fixture(scope="module")
def growing_world(lasting_store: Store) -> World:  # noqa: ARG001  # the store it is made in
    return World()


@pytest.fixture(scope="module", params=STAGES, ids=lambda stage: f"{stage.leads}-{stage.belief}")
def world(growing_world: World, request: pytest.FixtureRequest) -> World:
    growing_world.become(request.param)
    return growing_world


@pytest.fixture
def small_world(store: Store) -> World:  # noqa: ARG001  # the store it is made in
    """For the broken twins, which need statistics of their own."""
    return World()


@pytest.fixture(params=CAMPAIGNS.values(), ids=CAMPAIGNS.keys())
def campaign(request: pytest.FixtureRequest) -> int:
    return request.param


def lookups_of(work: Callable[[Session], object]) -> set[str]:
    """Do the work, take it back, and tell how its statements come to leads, sends and jobs."""
    found: set[str] = set()

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.split(maxsplit=1)[0] in ("SELECT", "WITH", "INSERT", "UPDATE"):
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            found.update(_lookups(cursor.fetchone()[0][0]["Plan"]))

    event.listen(engine(), "before_cursor_execute", explain)
    try:
        with Session(engine()) as session:  # and no commit
            work(session)
    finally:
        event.remove(engine(), "before_cursor_execute", explain)
    return found


def _lookups(node: dict[str, Any]) -> Iterator[str]:
    """Tell of each scan in a plan; of a bitmap the scan of the index that makes it."""
    name = node.get("Index Name") or node.get("Relation Name") or ""
    if name.startswith(("lead", "send", "job")):
        columns = dict.fromkeys(re.findall(r"\((\w+) [<>]?=", node.get("Index Cond", "")))
        match node["Node Type"]:
            case "Index Scan" | "Index Only Scan":
                yield f"{name}({', '.join(columns)})"
            case "ModifyTable":
                yield from (f"{index}(conflict)" for index in node.get("Conflict Arbiter Indexes", []))
            case other:
                yield f"{other} of {name}"
    for child in node.get("Plans", []):
        yield from _lookups(child)


def test_the_merge_looks_each_lead_up_in_the_unique_index(world: World, campaign: int) -> None:
    found = lookups_of(lambda session: world.merge(session, campaign))

    assert found == {"lead_campaign_email(campaign_id, email)", "lead_pkey(id)", "job_pkey(id)"}


@pytest.mark.usefixtures("world")
def test_the_oldest_accepted_jobs_are_read_in_the_order_of_their_index(campaign: int) -> None:
    found = lookups_of(lambda session: ledger.oldest_accepted(session, campaign, BATCH_JOBS))

    assert found == {"job_accepted(campaign_id)"}


@pytest.mark.usefixtures("world")
def test_settling_reads_unsettled_sends_only_and_looks_each_lead_up(campaign: int) -> None:
    found = lookups_of(lambda session: releasing.settle(session, campaign))

    assert found == {"send_unsettled(campaign_id)", "send_pkey(id)", "lead_pkey(id)"}


@pytest.mark.usefixtures("world")
def test_a_release_reads_due_leads_only_in_the_order_of_their_index(campaign: int) -> None:
    found = lookups_of(lambda session: releasing.release(session, campaign))

    assert found == {"lead_due(campaign_id, due_at)", "lead_pkey(id)", "send_lead_step(conflict)"}


@pytest.mark.usefixtures("world")
def test_a_claim_reads_queued_sends_only_and_looks_each_lead_up() -> None:
    found = lookups_of(lambda session: outbox.claim(session, BATCH))

    assert found == {"send_queued(campaign_id)", "send_pkey(id)", "lead_pkey(id)"}


@pytest.mark.usefixtures("world")
def test_the_sweep_takes_one_look_into_an_index_for_each_campaign() -> None:
    assert lookups_of(sweeping.lanes_with_jobs) == {"job_accepted(campaign_id)"}
    assert lookups_of(sweeping.campaigns_to_release) == {"lead_due(campaign_id, due_at)", "send_unsettled(campaign_id)"}
    assert lookups_of(sweeping.sends_are_waiting) == {"send_queued(campaign_id)"}


@pytest.mark.usefixtures("world")
def test_how_far_campaigns_are_is_told_by_a_few_looks_into_indexes_for_each() -> None:
    of_one = {"lead_due(campaign_id, due_at)"}

    assert lookups_of(lambda session: by_index(session, progress.read_progress, 1)) == of_one
    assert lookups_of(lambda session: by_index(session, in_flight.in_flight, None)) == {
        "job_accepted(campaign_id)",
        "lead_due(campaign_id, due_at)",
        "send_queued(campaign_id)",
    }
    later = {"lead_due(campaign_id)"}  # from now on
    assert lookups_of(lambda session: by_index(session, release_now, None)) == of_one | later


@pytest.mark.usefixtures("world")
def test_what_failed_is_found_in_indexes_that_hold_nothing_else() -> None:
    of_campaign = lookups_of(lambda session: by_index(session, failures.groups_of_sends, 1))
    of_all = lookups_of(lambda session: by_index(session, failures.groups, None))

    assert not {lookup for lookup in of_campaign | of_all if "Seq Scan" in lookup or lookup.startswith("send_pkey")}
    assert {"send_failed()", "send_retrying()"} <= of_all


def by_index(session: Session, read: Callable[..., object], *arguments: object) -> object:
    """Read as the first screen does."""
    lookups.only_by_index(session)
    return read(session, *arguments)


@pytest.mark.usefixtures("store")
def test_a_table_analysed_during_its_first_import_is_noted_to_have_pages_but_no_row() -> None:
    with transaction() as session:
        session.connection().execute(
            text("INSERT INTO lead (campaign_id, email, custom_variables) VALUES (1, '', '{}')")
        )
        sql("ANALYZE lead")

    assert sql("SELECT relpages, reltuples FROM pg_class WHERE relname = 'lead'") == [(1, 0)]


def test_without_the_planner_settings_leads_are_read_one_and_all(
    small_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken twin."""
    monkeypatch.setattr(lookups, "_ONLY_INDEX_LOOKUPS", text("SELECT 1"))

    small_world.become(Stage(10_000, ANALYSED))
    assert "Seq Scan of lead" in lookups_of(lambda session: releasing.settle(session, 1))

    small_world.become(Stage(10_000, NEVER_ANALYSED))
    assert "Bitmap Index Scan of lead_due" in lookups_of(lambda session: releasing.release(session, 1))


def test_a_merge_that_joins_leads_by_equality_reads_their_index_from_end_to_end(
    small_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken twin."""
    rewrite(monkeypatch, merging, "_MERGE", "lead.id = ANY (ARRAY[merged.id])", "lead.id = merged.id")
    small_world.become(Stage(10_000, TAKEN_FOR_ONE_ROW))

    assert "lead_pkey()" in lookups_of(lambda session: small_world.merge(session, 1))


def test_settling_that_joins_leads_by_equality_reads_their_index_from_end_to_end(
    small_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken twin."""
    rewrite(monkeypatch, releasing, "_SETTLE", "lead.id = ANY (ARRAY[finished.lead_id])", "lead.id = finished.lead_id")
    small_world.become(Stage(10_000, ANALYSED))

    assert "lead_pkey()" in lookups_of(lambda session: releasing.settle(session, 1))


def test_jobs_that_are_ordered_by_id_alone_are_looked_for_among_all_jobs(
    small_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken twin."""
    rewrite(monkeypatch, ledger, "_OLDEST_ACCEPTED", "BETWEEN :campaign AND :campaign", "= :campaign")
    small_world.become(Stage(10_000, ANALYSED))

    assert lookups_of(lambda session: ledger.oldest_accepted(session, 1, BATCH_JOBS)) == {"job_pkey()"}


def test_with_another_collation_the_merge_reads_all_leads_of_the_campaign_for_each(small_world: World) -> None:
    """A broken twin."""
    sql('ALTER TABLE lead ALTER email TYPE text COLLATE "default"')
    small_world.become(Stage(10_000, ANALYSED))

    assert "lead_campaign_email(campaign_id)" in lookups_of(lambda session: small_world.merge(session, 1))


def rewrite(monkeypatch: pytest.MonkeyPatch, module: ModuleType, statement: str, old: str, new: str) -> None:
    written = getattr(module, statement).text
    assert old in written
    monkeypatch.setattr(module, statement, text(written.replace(old, new)))
