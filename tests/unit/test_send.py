"""A send whose outcome is unknown is settled by a person; one that could not leave is tried again."""

import pytest

from domain.errors import SendNotUnknown
from domain.send import SendStatus, resolve, retry_delay_seconds


def test_an_unknown_send_is_sent_or_queued_again_as_its_resolver_says() -> None:
    assert resolve("unknown", "sent", send_id="send_1") == "sent"
    assert resolve("unknown", "notSent", send_id="send_1") == "queued"


@pytest.mark.parametrize("status", ["queued", "sending", "sent", "failed", "cancelled"])
def test_no_other_send_can_be_resolved(status: SendStatus) -> None:
    with pytest.raises(SendNotUnknown, match=f"send_1 is {status}"):
        resolve(status, "notSent", send_id="send_1")


def test_the_wait_for_a_transport_grows_up_to_ten_minutes() -> None:
    delays = [retry_delay_seconds(attempts) for attempts in range(100)]

    assert delays == sorted(delays)
    assert delays[1] == 10
    assert delays[-1] == 600
