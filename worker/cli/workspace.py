"""`enroll workspace`: the tenants."""

import typer

from worker.cli.arguments import Name
from worker.cli.output import AsJson, Limit, print_json, print_one, print_table
from worker.reports.shapes import DEFAULT_LIMIT
from worker.reports.workspaces import WorkspaceReport, list_workspaces
from worker.store.workspaces import create_workspace

app = typer.Typer(no_args_is_help=True, help="Tenants: everything belongs to one of them.")


@app.command()
def create(name: Name, *, as_json: AsJson = False) -> None:
    """Create a workspace. Its name is its own."""
    created = WorkspaceReport.of(create_workspace(name))
    if as_json:
        print_json(created)
    else:
        print_one(created)


@app.command("list")
def list_(limit: Limit = DEFAULT_LIMIT, *, as_json: AsJson = False) -> None:
    """List the workspaces, newest first."""
    found = list_workspaces(limit)
    if as_json:
        print_json(found)
    else:
        print_table(["id", "name"], [[workspace.id, workspace.name] for workspace in found])
