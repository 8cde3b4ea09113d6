"""What the commands print: data on stdout, as a table or one JSON document; everything said to people on stderr.

Values come from anywhere. On a terminal none may move the cursor, change colours or reverse the reading order,
so control characters show as their escapes, in tables, messages and JSON alike.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, cast

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.reports.shapes import MAX_LIMIT, Shape

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout instead of a table.")]
Limit = Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many at most, newest first.")]

# C0, DEL and C1 controls; marks and overrides of the reading direction; line separators; half characters.
_unprintable = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# A table that is read by a program is not folded to the width of a terminal that is not there.
_UNLIMITED_WIDTH = 10_000


def plain(text: str) -> str:
    r"""Give the text with whatever a terminal might obey as escapes, `\x1b`."""
    return _unprintable.sub(lambda found: repr(found[0])[1:-1], text)


def say(message: str) -> None:
    """Tell a person, on stderr."""
    print(plain(message), file=sys.stderr, flush=True)  # noqa: T201  # the one place that does


def print_json(data: Shape | Mapping[str, object] | Sequence[Shape]) -> None:
    """Print exactly one JSON document, on one line."""
    text = to_json(data, by_alias=True).decode()
    # What JSON leaves as it is and a terminal may obey stands only within strings, where \u means the same.
    typer.echo(_unprintable.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode())


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under the names of their columns; nothing shows as a dash."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(Text(column), overflow="fold", no_wrap=place == 0)  # the first is the id, to be copied
    for row in rows:
        table.add_row(*map(_cell, row))
    _print(table)


def print_one(shape: Shape, *, without: Sequence[str] = ()) -> None:
    """Print one thing, a line for each of its keys."""
    shown: dict[str, object] = shape.model_dump(mode="json", by_alias=True, exclude=set(without))
    print_pairs(shown.items())


def print_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Print values, each after its name."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(_cell(name), _cell(value))
    _print(table)


def _cell(value: object) -> Text:
    shown = ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else value
    return Text("-" if shown is None or shown == "" else plain(str(shown)))


def _print(table: Table) -> None:
    Console(width=None if sys.stdout.isatty() else _UNLIMITED_WIDTH).print(table)
