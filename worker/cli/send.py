"""`enroll send`: messages, and those whose outcome a person has to find out."""

from typing import Annotated

import typer

from domain.send import Resolution
from worker.cli.arguments import OfCampaign, OfSendStatus, SendId
from worker.cli.output import AsJson, Limit, print_json, print_table, say
from worker.reports.sends import list_sends, read_send
from worker.reports.shapes import DEFAULT_LIMIT
from worker.store.outbox import resolve_send

app = typer.Typer(no_args_is_help=True, help="Sends: one message of one step to one lead each.")

As = Annotated[
    Resolution,
    typer.Option("--as", help="sent: it has left, the sequence goes on. notSent: it has not, it is queued again."),
]


@app.command("list")
def list_(
    status: OfSendStatus = None, campaign: OfCampaign = None, limit: Limit = DEFAULT_LIMIT, *, as_json: AsJson = False
) -> None:
    """List sends, newest first."""
    found = list_sends(limit, campaign_id=campaign, status=status)
    if as_json:
        print_json(found)
    else:
        rows = [[send.id, send.status, send.step, send.email, send.last_error] for send in found]
        print_table(["id", "status", "step", "email", "last error"], rows)


@app.command()
def resolve(send_id: SendId, resolution: As, *, as_json: AsJson = False) -> None:
    """Settle a send whose outcome is unknown, once you have found out whether it has left."""
    resolved = read_send(resolve_send(send_id, resolution).public_id)
    if as_json:
        print_json(resolved)
    else:
        say(f"Send {resolved.id} is {resolved.status}.")
