"""What people and deployments did to the stages within a time: marks for the lines that show how old things were."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from domain.stage import Pause


class PauseChange(NamedTuple):
    """A stage that somebody paused, or resumed."""

    stage: str
    at: datetime
    who: str
    paused: bool


class Paused(NamedTuple):
    """A stage that was paused within the time shown. `until` None: it still is. `who`: None for an earlier pause."""

    stage: str
    since: datetime
    until: datetime | None
    who: str | None


class Started(NamedTuple):
    """Workers that started in one minute, and what they ran. `deployed`: what ran before was another version."""

    at: datetime
    version: str
    workers: int
    deployed: bool


def paused_times(changes: Iterable[PauseChange], pauses: Iterable[Pause], since: datetime) -> list[Paused]:
    """Put together what was paused, from the changes since then, the oldest first, and the pauses there are."""
    open_ones: dict[str, PauseChange] = {}
    found: list[Paused] = []
    for change in changes:
        if change.paused:
            open_ones[change.stage] = change
        else:
            begun = open_ones.pop(change.stage, None)
            found.append(Paused(change.stage, begun.at if begun else since, change.at, begun.who if begun else None))
    found += [Paused(pause.stage, max(pause.paused_at, since), None, pause.paused_by) for pause in pauses]
    return sorted(found, key=lambda paused: paused.since)


def started(minutes: Sequence[tuple[datetime, Mapping[str, int]]], since: datetime) -> list[Started]:
    """Tell which starts were deployments: the first of a version after one of another. The oldest minute first."""
    found: list[Started] = []
    before: set[str] = set()
    for at, versions in minutes:
        for version, workers in versions.items():
            found.append(Started(at, version, workers, deployed=bool(before) and version not in before))
        before = set(versions)
    return [start for start in found if start.at >= since]
