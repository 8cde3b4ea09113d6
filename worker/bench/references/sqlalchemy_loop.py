"""S and O: the same upsert as SQLAlchemy's insert().on_conflict_do_update, and as a loop over SQLModel objects."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, create_engine, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import make_url
from sqlmodel import Session, col, select

from worker.bench.made_up_leads import Lead as Given
from worker.bench.made_up_leads import parts_of, variables_of
from worker.store.tables import Lead

Row = dict[str, Any]


def reference_engine(url: str) -> Engine:
    """Make an engine that writes 500 rows as one INSERT, whose text it keeps: SQLAlchemy's "insertmanyvalues".

    By itself SQLAlchemy does so only for statements that return something, and leaves others to the driver's
    executemany. Three runs each in turn, rows a second: 11,900 this way, 9,900 that way.
    """
    made = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(made, connect_args={"options": "-c synchronous_commit=on"})
    engine.dialect.use_insertmanyvalues_wo_returning = True
    return engine


def rows_of(leads: Sequence[Given]) -> list[list[Row]]:
    """Give the rows of each transaction."""
    return [[_row(lead) for lead in part] for part in parts_of(leads)]


def upsert_by_statement(engine: Engine, campaign: int, parts: Sequence[Sequence[Row]]) -> None:
    """S: one statement and 500 rows a transaction."""
    statement = _upsert(campaign)
    for part in parts:
        with engine.begin() as connection:
            connection.execute(statement, part)


def upsert_by_object(engine: Engine, campaign: int, parts: Sequence[Sequence[Row]]) -> None:
    """O: select, then change or add, 500 rows a transaction; no flush before a select, so that inserts are batched."""
    for part in parts:
        with Session(engine, expire_on_commit=False) as session, session.begin(), session.no_autoflush:
            for row in part:
                _select_then_add(session, campaign, row)


def _upsert(campaign: int) -> Any:
    statement = insert(Lead).values(campaign_id=campaign)
    return statement.on_conflict_do_update(
        constraint="lead_campaign_email",
        set_={
            "first_name": statement.excluded.first_name,
            "company": statement.excluded.company,
            "job_title": statement.excluded.job_title,
            "custom_variables": col(Lead.custom_variables).op("||")(statement.excluded.custom_variables),
            "updated_at": func.now(),
        },
    )


def _select_then_add(session: Session, campaign: int, row: Row) -> None:
    chosen = select(Lead).where(col(Lead.campaign_number) == campaign, col(Lead.email) == row["email"])
    lead = session.exec(chosen).one_or_none()
    if lead is None:
        session.add(Lead(campaign_number=campaign, **row))
        return
    lead.first_name, lead.company, lead.job_title = row["first_name"], row["company"], row["job_title"]
    lead.custom_variables = {**lead.custom_variables, **row["custom_variables"]}


def _row(lead: Given) -> Row:
    return {
        "email": lead["email"],
        "first_name": lead["firstName"],
        "company": lead["company"],
        "job_title": lead["jobTitle"],
        "custom_variables": variables_of(lead),
    }
