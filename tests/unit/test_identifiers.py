"""Public ids: read back exactly, ordered by age, and harmless when made up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identifiers import public_id, row_key

numbers = st.integers(0, 2**63 - 1)
times = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds the zone


@given(numbers, times)
def test_an_id_is_read_back_to_the_row_it_came_from(number: int, created_at: datetime) -> None:
    key = row_key("lead", public_id("lead", number, created_at))

    assert key is not None
    assert key.number == number
    assert timedelta(0) <= created_at - key.created_at < timedelta(milliseconds=1)


@given(st.lists(st.tuples(times, numbers), min_size=2, max_size=2))
def test_ids_sort_by_age_then_number(rows: list[tuple[datetime, int]]) -> None:
    cut = [(time.replace(microsecond=time.microsecond // 1000 * 1000), number) for time, number in rows]
    ids = [public_id("job", number, time) for time, number in rows]

    assert (cut[0] < cut[1]) == (ids[0] < ids[1])


def test_an_id_has_the_form_that_the_documentation_shows() -> None:
    example = public_id("camp", 1, datetime(2024, 4, 27, 12, 0, tzinfo=UTC))

    assert len(example) == len("camp_01hx4mrqpbcn7wh2gfk9yz6e3s")
    assert example.startswith("camp_01hw")
    assert example == example.lower()


def test_upper_case_is_read_too() -> None:
    identifier = public_id("camp", 123456789, datetime(2026, 11, 24, tzinfo=UTC))

    assert row_key("camp", identifier.upper()) == row_key("camp", identifier)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "camp",
        "camp_",
        "_",
        "camp_01hx4mrqpbcn7wh2gfk9yz6e3s",  # a ULID, of a number that no row can have
        "job_01hx4mrqpb0000000000000001",
        "camp01hx4mrqpb0000000000000001",
        "camp_01hx4mrqpb000000000000000",
        "camp_01hx4mrqpb00000000000000001",
        "camp_01hx4mrqpbu000000000000001",
        "camp_01hx4mrqpbé000000000000001",
        "camp_01hx4mrqpb\0000000000000001",
        " camp_01hx4mrqpb0000000000000001",
        "camp_" + "z" * 26,
        "camp_" + "z" * 1_000_000,
        "\ud800",
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_what_cannot_name_a_row_is_none(text: str) -> None:
    assert row_key("camp", text) is None


@given(
    st.text(st.characters(codec=None), max_size=40)
    | st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=26, max_size=26)
)
def test_no_text_fails(text: str) -> None:
    row_key("camp", text)
    row_key("camp", f"camp_{text}")
