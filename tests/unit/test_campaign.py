"""The life of a campaign."""

import pytest

from domain.campaign import CampaignStatus, pause, start
from domain.errors import NoLeadsEnrolled, NoSequenceSteps


def test_a_draft_with_steps_and_leads_runs_once_started() -> None:
    assert start("draft", has_steps=True, has_leads=True) == "running"


def test_a_draft_without_steps_or_leads_does_not_start() -> None:
    with pytest.raises(NoSequenceSteps):
        start("draft", has_steps=False, has_leads=True)
    with pytest.raises(NoSequenceSteps):
        start("draft", has_steps=False, has_leads=False)
    with pytest.raises(NoLeadsEnrolled):
        start("draft", has_steps=True, has_leads=False)


@pytest.mark.parametrize("status", ["running", "paused"])
def test_what_was_started_before_runs_whatever_it_holds(status: CampaignStatus) -> None:
    assert start(status, has_steps=True, has_leads=False) == "running"


def test_only_what_runs_is_paused() -> None:
    assert [pause(status) for status in ("running", "paused", "draft")] == ["paused", "paused", "draft"]
