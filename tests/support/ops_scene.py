"""Something of everything, for the operations page to show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.identifiers import public_id
from domain.job import IdempotencyKey
from domain.sequence import SequenceStep
from domain.source import SourceRules
from support.database import sql
from worker.enrolling import take_turn
from worker.store import campaigns, ledger, sources
from worker.store.tables import Campaign

STEPS = [
    SequenceStep(subject="Hi {{firstName}}", body_html="<p>Hi</p>"),
    SequenceStep(subject="Again", body_html="<p>Hi</p>", delay_days=3),
]
SECRETS = ("Priyanka", "Voltmetrics", "priyanka.sharma", "voltmetrics.example", "pipeline generation")
"""What leads hold, and nobody may see."""


@dataclass(frozen=True)
class Scene:
    """The ids of what is there."""

    running: str
    paused: str
    draft: str
    applied: str
    dead: Sequence[str]
    unknown: Sequence[str]
    source: str


def make_scene(workspace: str | int = "default", prefix: str = "") -> Scene:
    """One running, one paused and one draft campaign; jobs and sends in every state; a source."""
    running, paused, draft = (
        campaigns.create_campaign(workspace, prefix + name, STEPS)
        for name in ("Running one", "Paused one", "Draft one")
    )
    applied = ledger.accept(running.public_id, [_lead(n) for n in range(9)], IdempotencyKey("user", f"{prefix}crm-1"))
    ledger.accept(paused.public_id, [_lead(n) for n in range(4)])
    for campaign in (running, paused):
        take_turn(campaign.number)
        campaigns.start_campaign(campaign.public_id)
        take_turn(campaign.number)
    campaigns.pause_campaign(paused.public_id)
    for _ in range(3):
        ledger.accept(draft.public_id, [_lead(1)])
    return Scene(
        running.public_id,
        paused.public_id,
        draft.public_id,
        applied.job_id,
        [_dead(running.public_id, n) for n in range(6)],
        _unknown(running.number, 3),
        sources.create_source(
            running.workspace_number,
            running.public_id,
            prefix + "Form",
            SourceRules.model_validate({"scheme": "standard", "leadsPath": "@", "mapping": {"email": "email"}}),
        ).row.public_id,
    )


def running(new_campaign: Callable[..., Campaign], *delays: int, leads: int) -> Campaign:
    """A running campaign, step one of everybody queued."""
    campaign = new_campaign(*delays)
    ledger.accept(campaign.public_id, [{"email": f"{n}@x.test"} for n in range(leads)])
    take_turn(campaign.number)
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)
    return campaign


def _lead(n: int) -> dict[str, str]:
    return {
        "email": f"priyanka.sharma{n}@voltmetrics.example",
        "firstName": "Priyanka",
        "company": "Voltmetrics",
        "useCase": "pipeline generation",
    }


def _dead(campaign_id: str, n: int) -> str:
    """Two kinds of death, told apart by their messages."""
    accepted = ledger.accept(campaign_id, [_lead(n)])
    reason = (
        f"CheckViolation: row {n} is bad" if n % 2 else f"RuntimeError: boom at priyanka.sharma{n}@voltmetrics.example"
    )
    sql(
        "UPDATE job SET status = 'dead', attempts = 5, finished_at = now(), last_error = :reason WHERE id = :job",
        reason=reason,
        job=accepted.job_number,
    )
    return accepted.job_id


def _unknown(campaign: int, count: int) -> list[str]:
    rows = sql(
        "UPDATE send SET status = 'unknown', last_error = 'TimeoutError: no answer from +49 171 2345678' WHERE id IN"
        " (SELECT id FROM send WHERE campaign_id = :campaign ORDER BY id LIMIT :count) RETURNING id, created_at",
        campaign=campaign,
        count=count,
    )
    return [public_id("send", *row) for row in rows]
