"""What README says of the settings is what the code says."""

import re
from pathlib import Path

from worker.settings import Settings

README = (Path(__file__).parent.parent.parent / "README.md").read_text()
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
