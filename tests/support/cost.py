"""What something costs, counted instead of timed: the same on every machine, however busy."""

import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest


@contextmanager
def counted_statements() -> Iterator[Counter[str]]:
    """Count what is sent to PostgreSQL, by SQLAlchemy or not; executemany counts for each of its rows."""
    counts = Counter[str]()

    def counting(kind: str, method: Any) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            counts[kind] += 1
            return method(self, *args, **kwargs)

        return call

    def for_each_row(self: Any, query: Any, rows: Any, **kwargs: Any) -> Any:
        each = list(rows)
        counts["statements"] += len(each)
        return executemany(self, query, each, **kwargs)

    executemany = psycopg.Cursor.executemany
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(psycopg.Cursor, "execute", counting("statements", psycopg.Cursor.execute))
        patched.setattr(psycopg.Cursor, "copy", counting("statements", psycopg.Cursor.copy))
        patched.setattr(psycopg.Cursor, "executemany", for_each_row)
        patched.setattr(psycopg.Connection, "commit", counting("commits", psycopg.Connection.commit))
        yield counts


def calls_of(work: Callable[[], object]) -> int:
    """Count the functions that are called, Python's and C's."""
    calls = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    gc.disable()  # it calls whoever wants to know
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls
