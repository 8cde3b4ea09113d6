"""Refusals: a code for programs and a message for people."""

import pytest

from domain import errors
from domain.errors import CampaignNotFound, InvalidRequest, PayloadTooLarge, Refusal

REFUSALS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Refusal) and kind is not Refusal
]


def test_every_refusal_has_a_code_of_its_own() -> None:
    codes = [refusal.code for refusal in REFUSALS]

    assert len(set(codes)) == len(codes) > 10
    assert all(code.islower() and code.isidentifier() for code in codes)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_every_message_says_what_is_wrong_and_then_what_to_do(refusal: type[Refusal]) -> None:
    message = refusal.__doc__ or ""
    wrong, colon, remedy = message.partition(": ")

    assert wrong[0].isupper()
    assert colon
    assert remedy.endswith(".")


def test_a_message_states_the_facts() -> None:
    assert str(InvalidRequest(reason="{x} is no y")) == "The request cannot be used: {x} is no y."
    assert "11 leads, at most 10" in str(PayloadTooLarge(size=11, unit="leads", limit=10))
    assert str(CampaignNotFound(campaign_id="a\nb\ud800")).isprintable()


def test_a_forgotten_fact_fails_loudly() -> None:
    with pytest.raises(KeyError, match="campaign_id"):
        CampaignNotFound()
