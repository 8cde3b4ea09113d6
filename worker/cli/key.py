"""`enroll key`: who may use the API, and for what."""

from datetime import timedelta
from typing import Annotated, cast

import typer

from domain.api_key import DEFAULT_SCOPES, SCOPES, Scope
from worker.cli.arguments import Name, OfWorkspace, WorkspaceName
from worker.cli.output import AsJson, Limit, print_json, print_one, print_table, say
from worker.reports.api_keys import KeyReport, list_keys, report
from worker.reports.shapes import DEFAULT_LIMIT
from worker.store.api_keys import create_key, revoke_key
from worker.store.workspaces import DEFAULT_WORKSPACE

app = typer.Typer(no_args_is_help=True, help="API keys: who may use the API, and for what.")


def _scopes(given: list[str] | None) -> list[str]:
    unknown = set(given or ()) - set(SCOPES)
    if unknown:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: must be of {', '.join(SCOPES)}")
    return given or list(DEFAULT_SCOPES)


Scopes = Annotated[
    list[str] | None,  # typer takes no list of a Literal
    typer.Option("--scope", callback=_scopes, help="What it may do; may be given several times. [all but admin]"),
]
Days = Annotated[int | None, typer.Option("--expires-in-days", min=1, max=3650, help="When it stops working.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The id of the key, key_….")]


class NewKeyReport(KeyReport):
    """A key just made; `token` is shown this once."""

    token: str


@app.command()
def create(
    name: Name = "unnamed",
    workspace: WorkspaceName = DEFAULT_WORKSPACE,
    scope: Scopes = None,
    days: Days = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, this once: only a hash of it is stored."""
    made = create_key(workspace, name, cast("list[Scope]", scope), timedelta(days=days) if days else None)
    shown = NewKeyReport(**dict(report(made.row, workspace)), token=made.token)
    if as_json:
        print_json(shown)
    else:
        print_one(shown)
        say("Keep the token: it cannot be shown again.")


@app.command("list")
def list_(workspace: OfWorkspace = None, limit: Limit = DEFAULT_LIMIT, *, as_json: AsJson = False) -> None:
    """List the keys, newest first."""
    found = list_keys(limit, workspace)
    if as_json:
        print_json(found)
        return
    columns = ["id", "workspace", "name", "scopes", "last used", "expires", "revoked"]
    rows = [[k.id, k.workspace, k.name, k.scopes, k.last_used_at, k.expires_at, k.revoked_at] for k in found]
    print_table(columns, rows)


@app.command()
def revoke(key_id: KeyId, *, as_json: AsJson = False) -> None:
    """Let a key work no more, for good."""
    revoked = revoke_key(key_id)
    if as_json:
        print_json({"id": revoked.public_id, "revokedAt": revoked.revoked_at})
    else:
        say(f"Key {revoked.public_id} works no more.")
