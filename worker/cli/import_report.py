"""What an import came to, and whether that adds up."""

from domain.bulk_upsert import BulkUpsertCounts
from worker.cli.errors_file import ErrorsFile
from worker.cli.failures import CommandFailed
from worker.cli.output import say
from worker.importing import Import
from worker.rehearsing import Rehearsal
from worker.reports.shapes import Shape


class ImportReport(Shape):
    """The counts, over all jobs and the lines that never got into one.

    `duplicates` are rows folded within their job; a row whose email was in an earlier job counts as updated. What
    merging came to is None when the import did not wait for it. A dry run makes no import.
    """

    import_id: str | None
    campaign_id: str
    jobs: int
    received: int
    created: int | None = None
    updated: int | None = None
    unchanged: int | None = None
    enrolled: int | None = None
    duplicates: int | None = None
    skipped: int | None = None
    errors: int
    errors_file: str | None
    dead_jobs: list[str]


def report(import_: Import | Rehearsal, errors: ErrorsFile, *, waited: bool) -> ImportReport:
    """Sum up an import, or what it would be."""
    is_real = isinstance(import_, Import)
    return ImportReport(
        import_id=import_.id if is_real else None,
        campaign_id=import_.campaign_id,
        jobs=import_.jobs,
        received=import_.received,
        errors=import_.rejected,
        errors_file=str(errors.path) if errors.count else None,
        dead_jobs=[job.id for job in import_.dead] if is_real else [],
        **(import_.counts if waited else {}),
    )


def say_errors(errors: ErrorsFile) -> None:
    """Tell which rows were not taken: the first of them, and where they all are."""
    if errors.count:
        for error in errors.first:
            where = f"line {error.line}" + (f", {error.email}" if error.email else "")
            say(f"{where}: {error.message} ({error.code})")
        say(f"Rows that were not taken: {errors.count:,}. All of them are in {errors.path}.")


def check(report: ImportReport) -> None:
    """Raise `CommandFailed` when a job died, or when not every row is accounted for."""
    if report.dead_jobs:
        first = report.dead_jobs[0]
        raise CommandFailed(
            f"{len(report.dead_jobs)} of {report.jobs} jobs died and their rows were not applied: "
            f"{', '.join(report.dead_jobs)}. See `enroll job show {first}`, then `enroll job retry {first}`"
        )
    if report.created is not None and not BulkUpsertCounts.model_validate(dict(report)).adds_up:
        raise CommandFailed(f"the counts do not add up, please report this: {report.model_dump_json(by_alias=True)}")
