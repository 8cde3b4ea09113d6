"""`enroll demo`: its own servers and data directory, the story, and a table of what happened."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import typer

from worker.cli.demo.shapes import DemoReport
from worker.cli.failures import CommandFailed
from worker.cli.output import AsJson, print_json, print_pairs, print_table, say
from worker.cli.stack import migrated_servers
from worker.embedded.services import READY_WITHIN, wait_until_workers_are_ready, workers
from worker.embedded.stack import remove_data
from worker.embedded.supervisor import Supervisor
from worker.settings import Settings, settings
from worker.store.workers import clock


def demo(*, as_json: AsJson = False) -> None:
    """Run the main job on 5,000 sample leads, end to end, and check that everything adds up.

    With servers and a folder of its own, DATA_DIR/demo, made anew each time: nothing else is touched.
    """
    from worker.cli.demo.story import Story  # noqa: PLC0415  # it loads Celery, which no other command has to

    data_dir = settings().data_dir / "demo"
    outbox = data_dir / "outbox"
    with _own_stack(data_dir, outbox):
        report = Story(data_dir, outbox).run()
    if as_json:
        print_json(report)
    else:
        _print(report)
    if not report.adds_up:
        raise CommandFailed("something does not add up: see the checks above; please report this")


@contextmanager
def _own_stack(data_dir: Path, outbox: Path) -> Generator[None]:
    say(f"Starting PostgreSQL, Valkey and workers in {data_dir} …")
    remove_data(data_dir, say)
    _use(ENROLL_DATA_DIR=str(data_dir), ENROLL_TRANSPORT_URL=outbox.as_uri())
    own = Settings(data_dir=data_dir, database_url=None, redis_url=None, transport_url=outbox.as_uri())
    with migrated_servers(own) as stack:
        _use(ENROLL_DATABASE_URL=stack.database_url, ENROLL_REDIS_URL=stack.redis_url)
        since = clock()
        with Supervisor.of_programs(data_dir, workers(), say):
            if not wait_until_workers_are_ready(since, READY_WITHIN):
                raise CommandFailed(f"the workers do not answer after {READY_WITHIN:.0f} s: see {data_dir / 'logs'}")
            yield


def _use(**variables: str) -> None:
    """Settle settings for this process and the workers, whatever `.env` says."""
    os.environ.update(variables)
    settings.cache_clear()


def _print(report: DemoReport) -> None:
    pushes = [
        [p.what, p.jobs, p.received, p.created, p.updated, p.unchanged, p.duplicates, p.errors, f"{p.seconds:.1f} s"]
        for p in report.pushes
    ]
    headings = ["pushed", "jobs", "rows", "created", "updated", "unchanged", "duplicates", "errors", "took"]
    print_table(headings, pushes)
    typer.echo()
    print_table(
        ["", "check", "must be", "is"],
        [["✓" if check.holds else "✗", check.what, check.expected, check.found] for check in report.checks],
    )
    typer.echo()
    print_pairs(_where_to_look(report))


def _where_to_look(report: DemoReport) -> list[tuple[str, object]]:
    return [
        ("enrolled", f"{report.leads_per_second:,} leads/s, from the file to applied"),
        ("delivered", f"{report.messages_per_second:,} messages/s, from the start to the last one on disk"),
        ("took", f"{report.seconds:.1f} s"),
        ("messages", f"{report.outbox}/*.eml"),
        ("rows not taken", f"{report.data_dir}/leads.csv.errors.csv"),
        ("look further", f"ENROLL_DATA_DIR={report.data_dir} enroll up"),
    ]
