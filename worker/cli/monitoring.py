"""`enroll alerts` and `enroll dashboard`: what Prometheus and Grafana are to be given."""

from importlib.resources import files
from typing import Annotated

import typer

_OPS = "http://127.0.0.1:8080"
_RUNBOOK = "README.md"

OpsUrl = Annotated[str, typer.Option(help="Where people reach the API: alerts link to its page /ops.")]
RunbookUrl = Annotated[str, typer.Option(help="Where people read the README: alerts link to its runbook.")]


def alerts(ops_url: OpsUrl = _OPS, runbook_url: RunbookUrl = _RUNBOOK) -> None:
    """Print alert rules for Prometheus: `enroll alerts > /etc/prometheus/rules/enroll.yml`."""
    rules = _packaged("alerts.yml")
    rules = rules.replace(_OPS, ops_url.rstrip("/")).replace(f"{_RUNBOOK}#", f"{runbook_url}#")
    typer.echo(rules, nl=False)


def dashboard() -> None:
    """Print the dashboard for Grafana: `enroll dashboard > enroll.json`, then import it."""
    typer.echo(_packaged("dashboard.json"), nl=False)


def _packaged(name: str) -> str:
    return (files("worker.observability") / name).read_text(encoding="utf-8")
