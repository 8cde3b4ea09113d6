"""What all requests of a process share on their way into the ledger."""

from dataclasses import dataclass, field
from typing import cast

from fastapi import Request

from worker.web.backlog import Backlog
from worker.web.group_commit import GroupCommit
from worker.web.import_desk import ImportDesk
from worker.web.refusals import Refusals
from worker.web.waiting import WaitingRoom


@dataclass(frozen=True, slots=True)
class Doors:
    """Made with the app, kept in its state."""

    commit: GroupCommit = field(default_factory=GroupCommit)
    waiting: WaitingRoom = field(default_factory=WaitingRoom)
    backlog: Backlog = field(default_factory=Backlog)
    refusals: Refusals = field(default_factory=Refusals)
    imports: ImportDesk = field(default_factory=ImportDesk)


def doors_of(request: Request) -> Doors:
    """Give those of the app that serves the request."""
    return cast("Doors", request.app.state.doors)
