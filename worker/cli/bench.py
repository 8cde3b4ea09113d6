"""`enroll bench`: how fast this machine is, measured beside what an expert would write by hand."""

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.failures import CommandFailed
from worker.cli.output import AsJson, print_json, print_pairs, print_table, say
from worker.settings import settings

if TYPE_CHECKING:
    from worker.bench.run import Results

Only = Annotated[str | None, typer.Option(metavar="NAMES", help="Only these, by name, with commas between.")]
Rounds = Annotated[int, typer.Option(min=1, help="How often each is measured.")]
Scale = Annotated[float, typer.Option(min=0.001, max=10, help="How much work a measure is, against the usual.")]
Quick = Annotated[bool, typer.Option("--quick", help="One round at a twentieth: to see that it works.")]


def _url(given: str | None) -> str | None:
    if given is not None and not given.startswith(("postgresql://", "postgres://")):
        raise typer.BadParameter("must start with postgresql://")
    return given


DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        callback=_url,
        metavar="URL",
        help="Measure this PostgreSQL instead of an embedded one. Two databases are made in it, and dropped.",
    ),
]

_QUICK_SCALE = 0.05


def bench(  # noqa: PLR0913  # an option each
    only: Only = None,
    rounds: Rounds = 3,
    scale: Scale = 1.0,
    database_url: DatabaseUrl = None,
    *,
    quick: Quick = False,
    as_json: AsJson = False,
) -> None:
    """Measure the product on this machine, each figure as a ratio to a reference that is run beside it, in turn.

    With servers and a folder of its own, DATA_DIR/bench, made anew each time and removed at the end: nothing else is
    touched. Leave the machine alone meanwhile. README, "Sizing", tells how to read it.
    """
    from worker.bench import report  # noqa: PLC0415  # no other command needs it
    from worker.bench.figures import Sizes  # noqa: PLC0415  # as above
    from worker.bench.programs import MeasureFailed  # noqa: PLC0415  # as above
    from worker.bench.run import Plan, run  # noqa: PLC0415  # as above

    plan = Plan(_wanted(only), 1 if quick else rounds, Sizes().scaled(_QUICK_SCALE if quick else scale))
    try:
        results = run(plan, settings().data_dir / "bench", database_url, say)
    except MeasureFailed as failure:
        raise CommandFailed(str(failure)) from None
    if as_json:
        print_json(report.as_json(results))
    else:
        _print(results)


def _print(results: "Results") -> None:
    from worker.bench import report  # noqa: PLC0415  # as above

    for headings, rows in (
        (report.RATIO_HEADINGS, report.ratio_rows(results)),
        (report.LIMIT_HEADINGS, report.limit_rows(results)),
    ):
        if rows:
            print_table(headings, rows)
            typer.echo()
    print_pairs(results.machine.items())


def _wanted(only: str | None) -> set[str]:
    from worker.bench.catalogue import NAMES  # noqa: PLC0415  # as above

    wanted = set(only.split(",")) if only else set(NAMES)
    if unknown := wanted - set(NAMES):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: choose of {', '.join(NAMES)}", param_hint="--only")
    return wanted
