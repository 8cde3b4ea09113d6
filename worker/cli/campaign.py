"""`enroll campaign`: sequences, and the leads enrolled in them."""

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.arguments import CampaignId, Name, WorkspaceName
from worker.cli.output import AsJson, Limit, print_json, print_one, print_table, say
from worker.cli.steps_file import read_steps
from worker.reports.campaigns import CampaignReport, CampaignWithStats, list_campaigns, read_campaign
from worker.reports.shapes import DEFAULT_LIMIT
from worker.store.campaigns import create_campaign, pause_campaign, start_campaign
from worker.store.workspaces import DEFAULT_WORKSPACE

app = typer.Typer(no_args_is_help=True, help="Campaigns: create, look at, start, pause.")

StepsFile = Annotated[
    Path | None,
    typer.Option(
        "--steps",
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help='The sequence as JSON: [{"subject": "…", "bodyHtml": "…", "delayDays": 0}, …], alone or as '
        '"sequenceSteps" of an object. delayDays counts after the step before and may be left out.',
    ),
]


@app.command()
def create(
    name: Name, steps: StepsFile = None, workspace: WorkspaceName = DEFAULT_WORKSPACE, *, as_json: AsJson = False
) -> None:
    """Create a campaign as a draft: nothing leaves before it is started."""
    sequence = read_steps(steps) if steps else []
    created = CampaignReport.of(create_campaign(workspace, name, sequence))
    if as_json:
        print_json(created)
    else:
        _print_campaign(created)
        say(f"Next: `enroll import FILE --campaign {created.id}`, then `enroll campaign start {created.id}`.")


@app.command("list")
def list_(limit: Limit = DEFAULT_LIMIT, *, as_json: AsJson = False) -> None:
    """List the campaigns, newest first."""
    found = list_campaigns(limit)
    if as_json:
        print_json(found)
    else:
        rows = [[c.id, c.status, len(c.sequence_steps), c.name] for c in found]
        print_table(["id", "status", "steps", "name"], rows)


@app.command()
def show(campaign_id: CampaignId, *, as_json: AsJson = False) -> None:
    """Show a campaign, and how far its leads and sends are."""
    found = read_campaign(campaign_id)
    if as_json:
        print_json(found)
    else:
        _print_campaign(found)
        print_one(found.stats, without=["campaign_id"])


@app.command()
def start(campaign_id: CampaignId, *, as_json: AsJson = False) -> None:
    """Start a draft or resume what is paused: everyone who is due gets a message."""
    started = start_campaign(campaign_id)
    _print_change(CampaignReport.of(started), as_json=as_json)


@app.command()
def pause(campaign_id: CampaignId, *, as_json: AsJson = False) -> None:
    """Pause a campaign: at most the messages in progress still leave."""
    paused = pause_campaign(campaign_id)
    _print_change(CampaignReport.of(paused), as_json=as_json)


def _print_change(campaign: CampaignReport, *, as_json: bool) -> None:
    if as_json:
        print_json(campaign)
    else:
        say(f"Campaign {campaign.id} is {campaign.status}.")


def _print_campaign(campaign: CampaignReport | CampaignWithStats) -> None:
    print_one(campaign, without=["sequence_steps", "stats"])
    steps = [[place, step["delayDays"], step["subject"]] for place, step in enumerate(campaign.sequence_steps, start=1)]
    if steps:
        print_table(["step", "delayDays", "subject"], steps)
