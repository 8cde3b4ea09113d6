"""`enroll import`: the leads of a file into a campaign."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from worker.cli.errors_file import ErrorsFile
from worker.cli.failures import CommandFailed
from worker.cli.import_report import ImportReport, check, report, say_errors
from worker.cli.output import AsJson, print_json, print_one, say
from worker.files.header import KNOWN_FIELDS, Column, Mapped, read_map
from worker.files.leads_file import LeadsFile, open_leads
from worker.importing import Import, chunks, importing
from worker.rehearsing import Rehearsal, rehearsing
from worker.store.campaigns import find_campaign
from worker.store.connection import transaction

INTERRUPTED = 130  # as a shell counts it: 128 and the number of SIGINT

File = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="CSV, NDJSON or XLSX.")
]
Into = Annotated[str, typer.Option("--campaign", metavar="ID", help="The campaign to enroll them in, camp_….")]
ErrorsPath = Annotated[
    Path | None,
    typer.Option(
        "--errors", dir_okay=False, metavar="PATH", help="Where rows that were not taken go [FILE.errors.csv]."
    ),
]
Maps = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="COLUMN:FIELD", help="What a column is; COLUMN: leaves it out. May be given several times."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would become of it, and change no lead.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until the last jobs are applied.")]


def import_file(  # noqa: PLR0913  # an option each
    file: File,
    campaign: Into,
    errors: ErrorsPath = None,
    maps: Maps = None,
    *,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Upsert the leads of a file into a campaign, in jobs of 500 rows.

    CSV (comma, semicolon, tab or bar) and XLSX (the first sheet): the first line names the columns. `E-Mail`, `First
    Name`, `Company`, `Job Title` and the like become the standard fields, every other column a custom variable of its
    own name, unless --map says otherwise. A blank cell says nothing about the lead: what is stored stays. NDJSON
    (.ndjson, .jsonl): one lead a line, as in the API.

    A bad row never fails its neighbours: it is reported with its line. An import that was interrupted can just be run
    again: leads that are there already are updated, not doubled.
    """
    errors_path = errors or file.with_name(f"{file.name}.errors.csv")
    if errors_path.absolute() == file.absolute():
        raise CommandFailed("--errors names the file that is imported: choose another path")
    campaign_id, mapped = _existing(campaign), read_map(maps or [])
    if dry_run:
        summary = rehearse_import(file, campaign_id, errors_path, mapped)
    else:
        summary = run_import(file, campaign_id, errors_path, mapped, wait=not no_wait)
    if as_json:
        print_json(summary)
    else:
        print_one(summary)
    check(summary)


def run_import(
    file: Path, campaign_id: str, errors_path: Path, mapped: Mapped | None = None, *, wait: bool
) -> ImportReport:
    """Send the rows of a file as jobs, tell on stderr what happens, and sum it up."""
    try:
        return _import(file, campaign_id, errors_path, mapped or {}, wait=wait)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _import(file: Path, campaign_id: str, errors_path: Path, mapped: Mapped, *, wait: bool) -> ImportReport:
    with open_leads(file, mapped) as (leads, position), closing(ErrorsFile(errors_path)) as errors:
        _say_columns(leads.columns)
        with importing(campaign_id, say=say) as import_:
            with _progress_bar(file.stat().st_size) as advance_to:
                _send_all(leads, import_, errors, lambda: advance_to(position()))
            if wait:
                import_.wait()
    say_errors(errors)
    return report(import_, errors, waited=wait)


def rehearse_import(file: Path, campaign_id: str, errors_path: Path, mapped: Mapped) -> ImportReport:
    """Count what importing the file would come to; nothing is written but the rows that would not be taken."""
    with open_leads(file, mapped) as (leads, position), closing(ErrorsFile(errors_path)) as errors:
        _say_columns(leads.columns)
        with rehearsing(campaign_id) as rehearsal, _progress_bar(file.stat().st_size) as advance_to:
            _send_all(leads, rehearsal, errors, lambda: advance_to(position()))
    say_errors(errors)
    return report(rehearsal, errors, waited=True)


def _existing(campaign: str) -> str:
    with transaction() as session:
        return find_campaign(session, campaign).public_id


def _send_all(leads: LeadsFile, import_: Import | Rehearsal, errors: ErrorsFile, advance: Callable[[], None]) -> None:
    for chunk in chunks(leads.records):
        errors.write(import_.send(chunk))
        advance()


@contextmanager
def _progress_bar(size: int) -> Generator[Callable[[int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("Importing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=size)
        yield lambda position: progress.update(task, completed=position)


def _say_columns(columns: Sequence[Column]) -> None:
    for header, key in columns:
        if key is None:
            say(f"{header} is left out." if header else "A column without a name is left out.")
        else:
            say(f"{header} → {key}" if key in KNOWN_FIELDS else f"{header} → {{{{{key}}}}}, a custom variable")
