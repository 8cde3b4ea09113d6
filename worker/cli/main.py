"""`enroll`: the commands, each in the file of its noun."""

import io
import sys

import typer

from worker.cli import campaign, job, key, send, workspace
from worker.cli.api import api
from worker.cli.bench import bench
from worker.cli.demo.command import demo
from worker.cli.failures import Commands
from worker.cli.importing import import_file
from worker.cli.intake_command import intake
from worker.cli.migrate import migrate
from worker.cli.monitoring import alerts, dashboard
from worker.cli.status import status
from worker.cli.up import up

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    # Its tracebacks show local variables, and those may be leads.
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Enroll leads in outbound campaigns: bulk upserts in, exactly one message a step out.",
)
app.command()(up)
app.command()(api)
app.command()(intake)
app.command()(demo)
app.command()(bench)
app.command()(migrate)
app.command()(status)
app.command()(alerts)
app.command()(dashboard)
app.add_typer(workspace.app, name="workspace")
app.add_typer(key.app, name="key")
app.add_typer(campaign.app, name="campaign")
app.command("import")(import_file)
app.add_typer(job.app, name="job")
app.add_typer(send.app, name="send")


def main() -> None:
    """Run the command that the arguments name."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    app()
