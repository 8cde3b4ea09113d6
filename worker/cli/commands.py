"""The commands of `enroll`, each loaded when it is called: all take a second, and a stack starts five programs."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from worker.cli.output import say

# In the order of the help. A module with `app` holds a group, any other one the command itself.
_COMMANDS = {
    "up": "worker.cli.up:up",
    "api": "worker.cli.api:api",
    "intake": "worker.cli.intake_command:intake",
    "demo": "worker.cli.demo.command:demo",
    "bench": "worker.cli.bench:bench",
    "migrate": "worker.cli.migrate:migrate",
    "status": "worker.cli.status:status",
    "alerts": "worker.cli.monitoring:alerts",
    "dashboard": "worker.cli.monitoring:dashboard",
    "workspace": "worker.cli.workspace:app",
    "key": "worker.cli.key:app",
    "campaign": "worker.cli.campaign:app",
    "import": "worker.cli.importing:import_file",
    "job": "worker.cli.job:app",
    "send": "worker.cli.send:app",
}


class Commands(TyperGroup):
    """Whatever a command raises for a known reason is told, not shown as a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name all commands."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load a command; None for a name that is none."""
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            self.add_command(_load(cmd_name), cmd_name)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            # Knowing all reasons means loading all that raises them.
            from worker.cli.failures import message_of  # noqa: PLC0415

            message = message_of(error)
            if message is None:
                raise
            say(f"enroll: {message}")
            raise typer.Exit(1) from None


def _load(name: str) -> Any:
    module, _, attribute = _COMMANDS[name].partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        alone.command(name)(found)
        return get_command(alone)
    found.rich_markup_mode = "markdown"
    group = get_group(found)
    group.name = name
    return group
