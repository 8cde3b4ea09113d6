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
    """An engine with prepared statements, which is what psycopg does by itself from the fifth time on."""
    made = make_url(url).set(drivername="postgresql+psycopg")
    return create_engine(made, connect_args={"prepare_threshold": 0, "options": "-c synchronous_commit=on"})


def rows_of(leads: Sequence[Given]) -> list[list[Row]]:
    """Give the rows of each transaction."""
    return [[_row(lead) for lead in part] for part in parts_of(leads)]


def upsert_by_statement(engine: Engine, campaign: int, parts: Sequence[Sequence[Row]]) -> None:
    """S: one statement and 500 rows a transaction, which the driver pipelines.

    One INSERT of 500 VALUES (`use_insertmanyvalues_wo_returning`) takes longer: SQLAlchemy has to write it each time.
    """
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
