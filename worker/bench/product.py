"""The product's side: campaigns, accepted jobs, the nudge, and when the last job is applied."""

from collections.abc import Iterable, Sequence
from time import monotonic, sleep

from domain.sequence import SequenceStep
from worker import nudges
from worker.bench.database import Connection, one_value
from worker.bench.made_up_leads import Lead, made_up_leads, parts_of
from worker.bench.programs import MeasureFailed
from worker.store import ledger
from worker.store.campaigns import create_campaign
from worker.store.tables import Campaign
from worker.store.workspaces import DEFAULT_WORKSPACE

_LOOK_EVERY_SECONDS = 0.003
_WITHIN_SECONDS = 600.0
_JOBS_A_COMMIT = 20
_WARM_UP_CAMPAIGNS, _WARM_UP_LEADS = 6, 500

_STEPS = [SequenceStep(subject="Hi {{firstName|there}}", body_html="<p>At {{company|work}}, {{useCase}}?</p>")]


def new_campaign() -> Campaign:
    """Make a draft: no sends are made of its leads, and the references make none either."""
    return create_campaign(DEFAULT_WORKSPACE, "Bench", _STEPS)


def accept(campaign: Campaign, parts: Iterable[Sequence[Lead]]) -> int:
    """Have jobs accepted without a nudge; give the number of the last."""
    hold_nudges(campaign)
    requests = [ledger.Request.of(campaign.public_id, part) for part in parts]
    last = 0
    for start in range(0, len(requests), _JOBS_A_COMMIT):
        for outcome in ledger.accept_together(requests[start : start + _JOBS_A_COMMIT]):
            if isinstance(outcome, Exception):
                raise MeasureFailed(f"a job was refused: {outcome}")
            last = outcome.job_number
    return last


def hold_nudges(campaign: Campaign) -> None:
    """Set the flag that says a nudge is under way: no other is sent."""
    nudges.redis().set(f"enrollment:nudged:{nudges.APPLY}:{campaign.public_id}", 1)


def nudge(campaign: Campaign) -> None:
    """Say that there is work, as accepting does."""
    nudges.take_up(nudges.APPLY, campaign.public_id)
    nudges.apply(campaign.public_id)


def wait_applied(connection: Connection, job: int) -> None:
    """Wait until the job is applied, and so, in its lane, all before it.

    Looking at one row takes nothing from the workers.
    """
    deadline = monotonic() + _WITHIN_SECONDS
    while (status := one_value(connection, "SELECT status FROM job WHERE id = %s", job)) == "accepted":
        if monotonic() > deadline:
            raise MeasureFailed(f"jobs were not applied within {_WITHIN_SECONDS:.0f} s")
        sleep(_LOOK_EVERY_SECONDS)
    if status != "applied":
        raise MeasureFailed(f"job {job} is {status}")


def wait_key_applied(connection: Connection, entry: str) -> None:
    """Wait until the job of an entry of the stream is there, and applied."""
    statement = "SELECT id FROM job WHERE workspace_id = %s AND key_space = 'stream' AND idempotency_key = %s"
    workspace = one_value(connection, "SELECT id FROM workspace WHERE name = %s", DEFAULT_WORKSPACE)
    deadline = monotonic() + _WITHIN_SECONDS
    while (job := one_value(connection, statement, workspace, entry)) is None:
        if monotonic() > deadline:
            raise MeasureFailed(f"entries of the stream did not become jobs within {_WITHIN_SECONDS:.0f} s")
        sleep(_LOOK_EVERY_SECONDS)
    wait_applied(connection, job)


def wait_all_applied(connection: Connection, campaign: Campaign) -> None:
    """Wait until the newest job of the campaign is applied."""
    newest = "SELECT id FROM job WHERE campaign_id = %s ORDER BY campaign_id DESC, id DESC LIMIT 1"
    wait_applied(connection, one_value(connection, newest, campaign.number) or 0)


def warm_up(connection: Connection) -> None:
    """Let every process of the workers do some work: connections made, modules loaded, caches filled."""
    campaigns = [new_campaign() for _ in range(_WARM_UP_CAMPAIGNS)]
    leads = list(parts_of(made_up_leads(_WARM_UP_LEADS, seed=1)))
    jobs = [accept(campaign, leads) for campaign in campaigns]
    for campaign in campaigns:
        nudge(campaign)
    for job in jobs:
        wait_applied(connection, job)


def require_accepted(connection: Connection, campaign: Campaign, leads: int) -> None:
    """Refuse a figure of requests that did not become jobs."""
    statement = "SELECT sum(row_count)::int FROM job WHERE campaign_id = %s AND status = 'accepted'"
    found = one_value(connection, statement, campaign.number)
    if found != leads:
        raise MeasureFailed(f"{found} leads are accepted where {leads:,} should be")


def require_counts(connection: Connection, campaign: Campaign, **expected: int) -> None:
    """Refuse a figure of work that was not done: the counts of the campaign's jobs must be these."""
    for name, count in expected.items():
        statement = f"SELECT coalesce(sum({name}), 0)::int FROM job WHERE campaign_id = %s AND status = 'applied'"  # noqa: S608  # names of columns, our own
        found = one_value(connection, statement, campaign.number)
        if found != count:
            raise MeasureFailed(f"{found:,} leads are {name} where {count:,} should be")
