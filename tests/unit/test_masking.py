import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.masking import mask


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        ("", ""),
        ("Priya", "P•••"),
        ("priya.sharma@voltmetrics.io", "p•••@v•••.io"),
        ("x@", "x•••"),
        (42, "4•••"),
        (True, "T•••"),
    ],
)
def test_a_value_keeps_its_first_character(value: object, shown: str) -> None:
    assert mask(value) == shown


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("550 <priya@volt.io> unknown user", "550 <p•••@v•••.io> unknown user"),
        ("call +49 (171) 234 56 78 now", "call ••• now"),
        ("DeadlockDetected: process 123 waits", "DeadlockDetected: process 123 waits"),
        ("at 2026-11-25 16:42:01 UTC", "at 2026-11-25 16:42:01 UTC"),
        ("a@b.io,c@d.io", "a•••@b•••.io,c•••@d•••.io"),
    ],
)
def test_a_sentence_loses_addresses_and_numbers_only(sentence: str, shown: str) -> None:
    assert mask(sentence, prose=True) == shown


@given(address=st.from_regex(r"[a-z]{3,20}@[a-z]{3,20}\.(com|io|test)", fullmatch=True), prose=st.booleans())
def test_no_address_gets_through(address: str, *, prose: bool) -> None:
    local, _, domain = address.partition("@")
    shown = mask(f"to {address}: no" if prose else address, prose=prose)
    assert local not in shown
    assert domain not in shown
