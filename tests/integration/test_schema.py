"""The tables that SQLModel declares are those that the migrations make."""

import re
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlmodel import SQLModel
from support.command_line import enroll
from support.database import sql

from worker import intake, signals
from worker.store import schema
from worker.store.connection import transaction


@pytest.mark.usefixtures("store")
def test_declared_and_migrated_tables_are_equal() -> None:
    for declares_what_the_imports_above_do_not in ("door_tables", "ops_tables"):
        import_module(f"worker.store.{declares_what_the_imports_above_do_not}")
    with transaction() as session:
        context = MigrationContext.configure(
            session.connection(), opts={"compare_type": True, "compare_server_default": False}
        )
        assert compare_metadata(context, SQLModel.metadata) == []


# Alembic compares neither checks nor defaults, nor what a partial index holds.
_DEFINED = """
SELECT CAST(CAST(conrelid AS regclass) AS text), conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE CAST(CAST(connamespace AS regnamespace) AS text) = :schema AND conrelid <> 0
UNION ALL
SELECT tablename, indexname, replace(indexdef, :schema || '.', '') FROM pg_indexes WHERE schemaname = :schema
UNION ALL
SELECT table_name, column_name, concat_ws(' ', trim('''' FROM split_part(column_default, '::', 1)), identity_generation)
FROM information_schema.columns WHERE table_schema = :schema
"""


@pytest.mark.usefixtures("store")
def test_constraints_indexes_and_defaults_are_those_that_are_declared() -> None:
    with transaction() as session:
        connection = session.connection()
        migrated = set(connection.execute(text(_DEFINED), {"schema": "public"}))
        connection.execute(text("CREATE SCHEMA declared"))
        connection.execute(text("SET LOCAL search_path = declared"))
        SQLModel.metadata.create_all(connection)
        declared = set(connection.execute(text(_DEFINED), {"schema": "declared"}))
    assert {row for row in migrated ^ declared if row[0] != "alembic_version"} == set()


@pytest.mark.usefixtures("store")
def test_a_difference_is_found() -> None:
    """The broken twin."""
    sql("ALTER TABLE lead DROP CONSTRAINT lead_campaign_email")
    with transaction() as session:
        differences = compare_metadata(MigrationContext.configure(session.connection()), SQLModel.metadata)
    assert [difference[0] for difference in differences] == ["add_constraint"]


@pytest.mark.usefixtures("store")
def test_every_text_that_is_compared_is_collated_as_the_temporary_table_is() -> None:
    collations = "SELECT column_name, collation_name FROM information_schema.columns WHERE table_name = 'lead'"
    texts = {name: collation for name, collation in sql(collations) if collation}
    assert set(texts.values()) == {"C"}
    assert "email" in texts


@pytest.mark.usefixtures("store")
def test_migrating_again_changes_nothing_and_the_schema_is_current() -> None:
    schema.migrate()
    assert schema.is_current()


@pytest.mark.usefixtures("store")
def test_the_tables_of_a_later_version_will_do() -> None:
    sql("UPDATE alembic_version SET version_num = '9999'")
    assert schema.is_current()
    schema.migrate()
    assert sql("SELECT version_num FROM alembic_version") == [("9999",)]


@pytest.mark.usefixtures("store")
def test_every_program_refuses_the_tables_of_an_older_version_in_one_line() -> None:
    sql("UPDATE alembic_version SET version_num = '0001'")
    refusal = "The tables are those of an older version: run `enroll migrate` of this version first."
    said = enroll("api")
    assert (said.code, said.stderr) == (1, f"enroll: {refusal}\n")
    with pytest.raises(schema.TablesTooOld, match=refusal):
        intake.read_until(lambda: False)
    with pytest.raises(SystemExit, match=refusal):
        signals.refuse_older_tables()


def test_migrations_only_add_so_that_programs_of_the_version_before_go_on() -> None:
    versions = Path(str(files("worker") / "migrations" / "versions"))
    for file in sorted(versions.glob("*.py"))[1:]:
        assert what_takes_away(file.read_text()) == [], file


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE job DROP COLUMN rows",
        "ALTER TABLE job RENAME COLUMN rows TO leads",
        "ALTER TABLE job ADD COLUMN trace text NOT NULL",
        "ALTER TABLE job ALTER COLUMN rows SET NOT NULL",
        "ALTER TABLE job ALTER COLUMN rows TYPE text",
        "DROP TABLE job",
    ],
)
def test_a_migration_that_takes_away_is_found(statement: str) -> None:
    """The broken twin."""
    assert what_takes_away(statement)


def what_takes_away(migration: str) -> list[str]:
    """What programs that do not know of a migration would stumble over."""
    added = r"ADD COLUMN [^,;\"]*?NOT NULL(?![^,;\"]*DEFAULT)"
    return re.findall(rf"\bDROP\b|\bRENAME\b|ALTER COLUMN \w+ (?:SET NOT NULL|TYPE|SET DATA)|{added}", migration)


def test_the_newest_revision_is_the_one_that_alembic_would_go_to() -> None:
    head = ScriptDirectory.from_config(schema._alembic_config()).get_current_head()

    assert schema._newest_revision() == head
