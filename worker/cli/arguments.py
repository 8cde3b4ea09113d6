"""Arguments that several commands take, and what may stand in them."""

from typing import Annotated

import typer

from domain.job import JobStatus
from domain.send import SendStatus
from worker.cli.output import plain

_NAME_CHARACTERS = 200
_KEY_CHARACTERS = 255


def _name(given: str) -> str:
    if not given.strip() or len(given) > _NAME_CHARACTERS or plain(given) != given:
        raise typer.BadParameter(f"must be 1 to {_NAME_CHARACTERS} characters, none of them a control character")
    return given


def _key(given: str | None) -> str | None:
    if given is not None and not (given.isascii() and given.isprintable() and 1 <= len(given) <= _KEY_CHARACTERS):
        raise typer.BadParameter(f"must be 1 to {_KEY_CHARACTERS} visible characters")
    return given


Name = Annotated[str, typer.Option(callback=_name, help="What people call it.")]
WorkspaceName = Annotated[str, typer.Option("--workspace", callback=_name, help="The workspace it belongs to.")]
OfWorkspace = Annotated[str | None, typer.Option("--workspace", help="Only of this workspace.")]
CampaignId = Annotated[str, typer.Argument(metavar="ID", help="The id of the campaign, camp_….")]
OfCampaign = Annotated[str | None, typer.Option("--campaign", metavar="ID", help="Only of this campaign.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The id of the job, job_….")]
OfJobStatus = Annotated[JobStatus | None, typer.Option("--status", help="Only with this status.")]
Key = Annotated[
    str | None,
    typer.Option(callback=_key, help="Only with this idempotency key, or brought by the Celery task of this id."),
]
SendId = Annotated[str, typer.Argument(metavar="ID", help="The id of the send, send_….")]
OfSendStatus = Annotated[SendStatus | None, typer.Option("--status", help="Only with this status.")]
