"""The life of a campaign: `draft` → `running` ⇄ `paused`."""

from typing import Literal

from domain.errors import CampaignNotDraft, NoLeadsEnrolled, NoSequenceSteps

CampaignStatus = Literal["draft", "running", "paused"]


def start(status: CampaignStatus, *, has_steps: bool, has_leads: bool) -> CampaignStatus:
    """Start, or resume. Starting what runs changes nothing.

    `has_leads`: the campaign has leads, or accepted jobs that will bring some.
    """
    if status == "draft" and not has_steps:
        raise NoSequenceSteps
    if status == "draft" and not has_leads:
        raise NoLeadsEnrolled
    return "running"


def pause(status: CampaignStatus) -> CampaignStatus:
    """Pause what runs; a draft or paused campaign stays what it is."""
    return "paused" if status == "running" else status


def require_draft(status: CampaignStatus) -> None:
    """Raise `CampaignNotDraft` once the campaign has been started: its leads may be anywhere in the sequence."""
    if status != "draft":
        raise CampaignNotDraft(status=status)
