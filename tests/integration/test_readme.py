"""What README says of the settings is what the code says, its SQL runs, and the tests that it names are there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.database import sql

from worker.enrolling import take_turn
from worker.settings import Settings
from worker.store import campaigns, ledger
from worker.store.tables import Campaign

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
# How it tells what stands for a setting that is not made.
NOT_MADE = {"embedded", "none", "file://DATA_DIR/outbox"}


def told() -> dict[str, str]:
    """The settings of README's table, each with its default."""
    table = README.partition("\n## Settings\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`ENROLL_.+?) \| (.+?) \|", table, re.MULTILINE)
    pairs = [zip(re.findall(r"`(\w+)`", names), defaults.split(", "), strict=True) for names, defaults in rows]
    return {name: default.strip("`") for row in pairs for name, default in row}


def test_every_setting_stands_in_the_table_and_nothing_else() -> None:
    assert told().keys() == {f"ENROLL_{name.upper()}" for name in Settings.model_fields}


def test_the_defaults_are_those_of_the_code() -> None:
    for name, field in Settings.model_fields.items():
        default = told()[f"ENROLL_{name.upper()}"]
        assert default == str(field.default) if field.default is not None else default in NOT_MADE, name


def test_a_setting_that_is_missing_is_found() -> None:
    """The broken twin."""
    assert "ENROLL_NOBODY" not in told()
    assert len(told()) > 15


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def scaled_object() -> Any:
    return next(block for block in map(yaml.safe_load, blocks("yaml")) if block.get("kind") == "ScaledObject")


@pytest.mark.usefixtures("store")
def test_the_queries_by_which_to_scale_count_what_is_due(new_campaign: Callable[..., Campaign]) -> None:
    running = new_campaign()
    [both] = blocks("sql")
    due_jobs, due_sends, _ = both.split(";")
    [trigger] = scaled_object()["spec"]["triggers"]

    ledger.accept(running.public_id, [{"email": "a@x.test"}, {"email": "b@x.test"}])
    assert [sql(query) for query in (due_jobs, due_sends)] == [[(1,)], [(0,)]]
    campaigns.start_campaign(running.public_id)
    take_turn(running.number)
    for query in (due_sends, trigger["metadata"]["query"]):
        assert sql(query) == [(2,)], "one integer, as KEDA wants it"
    campaigns.pause_campaign(running.public_id)
    assert sql(due_sends) == [(0,)]


def test_the_object_for_keda_has_what_its_scaler_of_postgresql_needs() -> None:
    [trigger] = scaled_object()["spec"]["triggers"]
    assert trigger["type"] == "postgresql"
    assert trigger["metadata"].keys() == {"connectionFromEnv", "targetQueryValue", "query"}
    assert all(isinstance(value, str) for value in trigger["metadata"].values()), "KEDA takes text only"
    assert trigger["metadata"]["connectionFromEnv"].removeprefix("ENROLL_").lower() in Settings.model_fields


def test_every_promise_names_tests_that_are_there() -> None:
    promises = README.partition("\n## What it promises\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+) \| (.+) \|$", promises, re.MULTILINE)[1:]
    assert len(rows) > 9
    for promise, held_by in rows:
        named = re.findall(r"`([\w./]+)`", held_by)
        folders = {name.rpartition("/")[0] for name in named if "/" in name}
        assert named, promise
        assert folders, promise
        for name in named:
            assert any((ROOT / folder / name.rpartition("/")[2]).is_file() for folder in folders), name
