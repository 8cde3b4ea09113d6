import pytest

from domain.failure import kind_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ValueError: no 17", "ValueError: no 4,200"),
        ("Rejected: 550 <a@x.test> unknown", "Rejected: 550 <b@y.test> unknown"),
        ('CheckViolation: relation "lead" is bad', 'CheckViolation: relation "send" is bad'),
        ("Lost: job_01hx4mrqpbcn7wh2gfk9yz6e3s", "Lost: job_01m89t66ba0000000000000034"),
        ("X: 5f0c1f3e-8c2e-4a60-9a38-0123456789ab", "X: 00000000-8c2e-4a60-9a38-0123456789ab"),
    ],
)
def test_failures_that_differ_in_what_they_quote_are_of_one_kind(one: str, other: str) -> None:
    assert kind_of("apply", one) == kind_of("apply", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("ValueError: no", "KeyError: no"), ("ValueError: no", "ValueError: yes"), ("it is full", "it is gone")],
)
def test_failures_of_another_class_or_message_are_of_another_kind(one: str, other: str) -> None:
    assert kind_of("apply", one).id != kind_of("apply", other).id


def test_the_same_message_at_another_stage_is_of_another_kind() -> None:
    assert kind_of("apply", "X: y").id != kind_of("deliver", "X: y").id


def test_a_kind_quotes_nobody() -> None:
    assert "priya" not in str(kind_of("deliver", "Rejected: 'Priya' <priya@volt.io> is unknown")).lower()


def test_nothing_known_is_a_kind_too() -> None:
    assert kind_of("deliver", None).error_class == "Unknown"
