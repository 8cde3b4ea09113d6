"""Reports: what people read is what is stored, newest first, and never more than they asked for."""

from collections.abc import Callable

import pytest
from support.database import sql

from domain.errors import CampaignNotFound, JobNotFound, SendNotFound
from domain.job import IdempotencyKey
from worker.enrolling import take_turn
from worker.reports.campaigns import list_campaigns, read_campaign
from worker.reports.jobs import JobFilter, list_jobs, read_job, read_jobs
from worker.reports.overview import masked
from worker.reports.sends import list_sends, read_send
from worker.store import campaigns, ledger
from worker.store.tables import Campaign

NewCampaign = Callable[..., Campaign]


def enroll_leads(campaign: Campaign, *names: str) -> ledger.Acceptance:
    accepted = ledger.accept(campaign.public_id, [{"email": f"{name}@x.test"} for name in names])
    take_turn(campaign.number)
    return accepted


def test_stats_count_every_lead_and_every_send_of_this_campaign_once(new_campaign: NewCampaign) -> None:
    campaign, other = new_campaign(0, 1), new_campaign()
    enroll_leads(campaign, *"abcdefg")
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)
    for email, status in {"a": "sent", "b": "failed", "c": "unknown", "d": "sending"}.items():
        sql(
            "UPDATE send SET status = :status FROM lead WHERE lead.id = lead_id AND email = :email",
            status=status,
            email=f"{email}@x.test",
        )
    sql("UPDATE lead SET status = 'completed' WHERE email = 'a@x.test'")
    sql("UPDATE lead SET status = 'stopped' WHERE email = 'b@x.test'")
    enroll_leads(other, "z")

    stats = read_campaign(campaign.public_id).stats

    assert stats.model_dump(exclude={"campaign_id"}, exclude_defaults=True) == {
        "total_enrolled": 7,
        "waiting": 0,
        "active": 5,
        "completed": 1,
        "stopped": 1,
        "queued": 4,
        "sent": 1,
        "failed": 1,
        "unknown": 1,
    }
    assert (read_campaign(other.public_id).stats.waiting, read_campaign(other.public_id).stats.queued) == (1, 0)


def test_lists_are_newest_first_and_no_longer_than_asked_for(new_campaign: NewCampaign) -> None:
    made = [new_campaign() for _ in range(3)]
    jobs = [enroll_leads(campaign, "a", "b").job_id for campaign in made]
    for campaign in made:
        campaigns.start_campaign(campaign.public_id)
        take_turn(campaign.number)

    assert [campaign.id for campaign in list_campaigns(2)] == [made[2].public_id, made[1].public_id]
    assert [job.id for job in list_jobs(2)] == [jobs[2], jobs[1]]
    assert [send.campaign_id for send in list_sends(3)] == [made[2].public_id, made[2].public_id, made[1].public_id]


def test_jobs_are_found_by_campaign_status_and_key(new_campaign: NewCampaign) -> None:
    campaign, other = new_campaign(), new_campaign()
    applied = enroll_leads(campaign, "a").job_id
    keys = [IdempotencyKey("user", "k"), IdempotencyKey("celery", "k"), IdempotencyKey("user", "other")]
    keyed = [ledger.accept(other.public_id, [{"email": "a@x.test"}], key).job_id for key in keys]

    assert [job.id for job in list_jobs(9, JobFilter(campaign_id=campaign.public_id))] == [applied]
    assert [job.id for job in list_jobs(9, JobFilter(status="accepted"))] == keyed[::-1]
    assert [job.id for job in list_jobs(9, JobFilter(key="k"))] == [keyed[1], keyed[0]]
    assert list_jobs(9, JobFilter(campaign_id=campaign.public_id, key="k")) == []
    with pytest.raises(CampaignNotFound):
        list_jobs(9, JobFilter(campaign_id="camp_zzz"))


def test_the_key_of_a_retry_is_nobody_elses(new_campaign: NewCampaign) -> None:
    accepted = enroll_leads(new_campaign(), "a")
    sql("UPDATE job SET status = 'dead'")

    anew = read_job(ledger.retry(accepted.job_id))

    assert anew.idempotency_key is None
    assert list_jobs(9, JobFilter(key=str(accepted.job_number))) == []


def test_several_jobs_are_read_by_number_in_the_order_of_their_lane(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    accepted = [ledger.accept(campaign.public_id, [{"email": f"{n}@x.test"}]) for n in range(3)]

    found = read_jobs([accepted[2].job_number, accepted[0].job_number])

    assert [job.id for job in found] == [accepted[0].job_id, accepted[2].job_id]
    assert read_jobs([]) == []


def test_a_send_tells_its_lead_and_when_it_left(new_campaign: NewCampaign) -> None:
    campaign = new_campaign()
    enroll_leads(campaign, "a")
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)
    queued = list_sends(9, campaign_id=campaign.public_id, status="queued")[0]
    sql("UPDATE send SET status = 'sent', finished_at = '2026-11-24 12:00+02'")

    sent = read_send(queued.id.upper().replace("SEND", "send"))

    assert (queued.email, queued.step, queued.sent_at) == ("a@x.test", 1, None)
    assert sent.lead_id.startswith("lead_")
    assert sent.model_dump(mode="json", by_alias=True)["sentAt"] == "2026-11-24T10:00:00Z"


def test_an_id_with_the_number_of_another_row_names_nothing(new_campaign: NewCampaign) -> None:
    accepted = enroll_leads(new_campaign(), "a")
    forged = f"job_0{accepted.job_id.removeprefix('job_0')[:-1]}"

    for job_id in (forged + "0", "job_" + "0" * 25 + "1"):
        with pytest.raises(JobNotFound):
            read_job(job_id)
    with pytest.raises(SendNotFound):
        read_send(accepted.job_id)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://:p%40ss@h:1/0", "redis://:***@h:1/0"),
        ("rediss://user:p@ss@h/0?password=x&db=1", "rediss://user:***@h/0?password=***&db=1"),
        (
            "sentinel://:p@a,[::1]:2/0?master=m&sentinel_password=x",
            "sentinel://:***@a,[::1]:2/0?master=m&sentinel_password=***",
        ),
        ("postgresql://u:p@[::1]:5432/d?sslmode=require", "postgresql://u:***@[::1]:5432/d?sslmode=require"),
        ("postgresql:///d?host=/tmp/x", "postgresql:///d?host=/tmp/x"),
    ],
)
def test_urls_are_shown_without_their_passwords(url: str, shown: str) -> None:
    assert masked(url) == shown
