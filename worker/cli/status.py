"""`enroll status`: the whole at a glance."""

import typer

from worker.cli.output import AsJson, print_json, print_pairs, say
from worker.reports.overview import Overview, read_overview


def status(*, as_json: AsJson = False) -> None:
    """Show what waits where: queues, jobs, leads, sends."""
    overview = read_overview()
    if as_json:
        print_json(overview)
    else:
        print_pairs(_rows(overview))
    if overview.queues is None:
        say(
            f"enroll: Redis cannot be reached at {overview.broker_url}: what PostgreSQL holds is shown, the queues not."
        )
        raise typer.Exit(1)


def _rows(overview: Overview) -> list[tuple[str, object]]:
    age = overview.jobs.oldest_accepted_seconds
    return [
        *((f"queue {queue}", length) for queue, length in (overview.queues or {}).items()),
        ("jobs accepted", overview.jobs.accepted),
        ("oldest accepted job", None if age is None else f"{age:.0f} s"),
        ("jobs dead", overview.jobs.dead),
        ("leads", overview.leads),
        *((f"sends {name}", count) for name, count in overview.sends.model_dump().items()),
        ("PostgreSQL", overview.database_url),
        ("Redis", overview.broker_url),
    ]
