"""`enroll`: the commands, each in the file of its noun."""

import io
import sys

import typer

from worker import garbage
from worker.cli.commands import Commands

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    # Its tracebacks show local variables, and those may be leads.
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback()
def enroll() -> None:
    """Enroll leads in outbound campaigns: bulk upserts in, exactly one message a step out."""


def main() -> None:
    """Run the command that the arguments name."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    garbage.search_rarely()
    app()
