"""How far an import is: told from the reading of the file, and from the jobs that came of it."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.file_import import SILENCE, ImportStatus, status_of, why_of

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reading", "silent_for", "waiting_jobs", "status"),
    [
        ("running", timedelta(0), 3, "running"),
        ("running", SILENCE, 0, "running"),
        ("running", SILENCE + timedelta(seconds=1), 0, "incomplete"),
        ("complete", timedelta(days=1), 1, "running"),
        ("complete", timedelta(days=1), 0, "complete"),
        ("incomplete", timedelta(days=1), 0, "incomplete"),
        ("incomplete", timedelta(0), 2, "incomplete"),
    ],
)
def test_an_import_is_complete_once_all_of_it_is_applied_and_incomplete_once_its_reader_is_silent(
    reading: ImportStatus, silent_for: timedelta, waiting_jobs: int, status: ImportStatus
) -> None:
    assert status_of(reading, NOW - silent_for, NOW, waiting_jobs) == status


def test_an_incomplete_import_says_why_even_when_its_reader_was_killed() -> None:
    assert why_of("incomplete", "incomplete", "the connection was cut") == "the connection was cut"
    assert why_of("running", "incomplete", None) == "whoever read the file is gone"
    assert why_of("complete", "complete", None) is None
