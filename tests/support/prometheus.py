"""Alert rules under test: series made up, and which alerts fire when, as promtool says."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

MINUTES = 240


class Firing(NamedTuple):
    """An alert that must fire: its name, and the value of the one label that tells which."""

    alert: str
    of: str = ""


def promtool() -> str:
    """Find promtool, of Debian's package `prometheus`. Without it the rules are unproven: CI must not let that pass."""
    found = shutil.which("promtool")
    if not found and os.environ.get("CI"):
        pytest.fail("promtool is missing: apt-get install prometheus")
    return found or pytest.skip("promtool is not here: apt-get install prometheus")


def steady(value: float) -> str:
    return f"{value}x{MINUTES}"


def rising(by_minute: float, start: float = 0) -> str:
    return f"{start}+{by_minute}x{MINUTES}"


def until_minute(minute: int, by_minute: float, after: str) -> str:
    """Rising until then; afterwards `after`, a value that stays or `stale`."""
    end = by_minute * minute
    rest = "stale" if after == "stale" else f"{end}x{MINUTES - minute}"
    return f"0+{by_minute}x{minute} {rest}"


def run_rules(
    folder: Path, rules: Path, series: Mapping[str, str], expected: Mapping[int, Sequence[Firing]]
) -> "subprocess.CompletedProcess[str]":
    """Have promtool play the series, and look at what fires in which minute."""
    expr = 'label_join(ALERTS{alertstate="firing"}, "of", "", "stage", "queue", "scope", "provider")'
    tests = [
        {
            "expr": f"count by (alertname, of) ({expr})",
            "eval_time": f"{minute}m",
            "exp_samples": [
                {"labels": "{" + f'alertname="{alert}"' + (f', of="{of}"' if of else "") + "}", "value": 1}
                for alert, of in firing
            ],
        }
        for minute, firing in expected.items()
    ]
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    return play(folder, rules, {"input_series": inputs, "promql_expr_test": tests})


def play(folder: Path, rules: Path, test: Mapping[str, object]) -> "subprocess.CompletedProcess[str]":
    """Have promtool run one test of the rules, a minute a step."""
    file = folder / "test.yml"
    whole = {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [{"interval": "1m", **test}]}
    file.write_text(json.dumps(whole))  # JSON is YAML
    return subprocess.run([promtool(), "test", "rules", str(file)], capture_output=True, text=True, check=False)
