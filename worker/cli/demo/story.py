"""The story of the demo: leads come through two doors, the campaign starts, messages leave."""

import json
from collections.abc import Callable
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path
from time import monotonic, sleep
from typing import Any, cast

from celery import Celery

from domain.sequence import SequenceStep
from worker.cli.demo.expectation import Expectation
from worker.cli.demo.outbox import recipients
from worker.cli.demo.shapes import Check, DemoReport, PushReport
from worker.cli.demo.store import leads_due_in, leads_that_differ
from worker.cli.failures import CommandFailed
from worker.cli.importing import run_import
from worker.cli.output import say
from worker.endpoints import redis_url
from worker.files.leads_file import open_leads
from worker.files.records import Row
from worker.importing import JOB_ROWS
from worker.reports.campaigns import CampaignStats, read_campaign
from worker.reports.jobs import JobFilter, JobReport, list_jobs
from worker.store.campaigns import create_campaign, start_campaign
from worker.store.workspaces import DEFAULT_WORKSPACE

_PAUSE_DAYS = 3
_STEPS = [
    SequenceStep(
        subject="{{firstName|Hello}}, a question about {{company|your company}}",
        body_html="<p>Hi {{firstName|there}},</p><p>as {{jobTitle|someone}} in {{City|your city}} you may care about "
        "{{useCase}}.</p><p>Shall we talk?</p>",
    ),
    SequenceStep(
        subject="Still interested, {{firstName|friend}}?", body_html="<p>Just checking in.</p>", delay_days=_PAUSE_DAYS
    ),
]
_WITHIN_SECONDS = 120.0
_LATE_JOBS, _LATE_ROWS, _KNOWN_AMONG_THEM = 4, 50, 10


class Story:
    """One run of the demo; `outbox` is where messages leave to."""

    def __init__(self, data_dir: Path, outbox: Path) -> None:
        self._data_dir = data_dir
        self._outbox = outbox
        self._expected = Expectation()
        self._pushes: list[PushReport] = []
        self._checks: list[Check] = []
        self._campaign = create_campaign(DEFAULT_WORKSPACE, "Demo", _STEPS)
        self._campaign_id = self._campaign.public_id
        self._first_seconds = 0.0
        self._began = monotonic()

    def run(self) -> DemoReport:
        """Tell it from beginning to end."""
        self._import("leads.csv")
        self._import("updates.csv")
        self._check("messages while the campaign is a draft", 0, len(recipients(self._outbox)))
        self._start()
        self._push_through_celery()
        self._check_the_end()
        return self._report()

    def _import(self, name: str) -> None:
        say(f"Importing {name} …")
        with as_file(files("worker.cli.demo") / name) as file:
            expected = self._expected.push(name, _jobs_of(file))
            began = monotonic()
            done = run_import(file, self._campaign_id, self._data_dir / f"{name}.errors.csv", wait=True)
            seconds = monotonic() - began
        found = {**dict(done), "what": name, "seconds": seconds}
        self._note_push(expected, PushReport.model_validate(found))

    def _start(self) -> None:
        leads = len(self._expected.leads)
        say(f"Starting the campaign: {leads:,} leads get step one …")
        began = monotonic()
        start_campaign(self._campaign_id)
        self._wait_for("the messages", lambda: self._stats().sent >= leads)
        self._first_seconds = monotonic() - began
        self._check("messages once it is started, one a lead", leads, len(recipients(self._outbox)))

    def _push_through_celery(self) -> None:
        say("Sending more leads as Celery messages, as an upstream service would …")
        jobs = self._late_leads()
        expected = self._expected.push("Celery messages", jobs)
        producer: Any = Celery(broker=redis_url())
        before = {job.id for job in self._jobs()}
        began = monotonic()
        for leads in jobs:
            kwargs = {"campaign_id": self._campaign_id, "leads": json.dumps(leads)}
            producer.send_task("leads.bulk_upsert", kwargs=kwargs, queue="enrollment")
        self._wait_for("the jobs", lambda: len(self._applied(before)) == len(jobs))
        found = _summed("Celery messages", self._applied(before), monotonic() - began)
        self._note_push(expected, found)
        self._wait_for("their messages", lambda: self._stats().sent >= len(self._expected.leads))

    def _check_the_end(self) -> None:
        leads = len(self._expected.leads)
        self._wait_for("step two's dates", lambda: self._waiting_for_step_two() >= leads)
        to, stats = recipients(self._outbox), self._stats()
        self._check("leads that differ from the merge rule", 0, leads_that_differ(self._campaign, self._expected.leads))
        self._check("messages in all", leads, len(to))
        self._check("leads with exactly one message", leads, len(set(to) & self._expected.leads.keys()))
        self._check("sends recorded as sent", leads, stats.sent)
        self._check("sends queued, failed or unknown", 0, stats.queued + stats.failed + stats.unknown)
        self._check(f"leads whose step two is due in {_PAUSE_DAYS} days", leads, self._waiting_for_step_two())
        self._check("jobs not applied", 0, sum(job.status != "applied" for job in self._jobs()))

    def _waiting_for_step_two(self) -> int:
        return leads_due_in(self._campaign, _PAUSE_DAYS)

    def _late_leads(self) -> list[list[object]]:
        known = list(self._expected.leads)
        return [
            [
                *({"email": f"late.{job}.{row}@example.test", "firstName": "Léa"} for row in range(_LATE_ROWS)),
                *({"email": email, "Plan": "late"} for email in known[job * 100 :][:_KNOWN_AMONG_THEM]),
                {"email": f"late.{job}.0@example.test", "seats": job},
                {"email": "nobody"},
            ]
            for job in range(_LATE_JOBS)
        ]

    def _applied(self, before: set[str]) -> list[JobReport]:
        return [job for job in self._jobs() if job.id not in before and job.status == "applied"]

    def _jobs(self) -> list[JobReport]:
        return list_jobs(1_000, JobFilter(campaign_id=self._campaign_id))

    def _stats(self) -> CampaignStats:
        return read_campaign(self._campaign_id).stats

    def _note_push(self, expected: PushReport, found: PushReport) -> None:
        self._pushes.append(found)
        what = f"{found.what}: created + updated + duplicates + errors"
        self._checks.append(Check(what=what, expected=expected.counts, found=found.counts))

    def _check(self, what: str, expected: int, found: int) -> None:
        self._checks.append(Check(what=what, expected=f"{expected:,}", found=f"{found:,}"))

    def _wait_for(self, what: str, look: Callable[[], bool]) -> None:
        deadline = monotonic() + _WITHIN_SECONDS
        while not look():
            if monotonic() > deadline:
                logs = self._data_dir / "logs"
                raise CommandFailed(f"{what} did not come within {_WITHIN_SECONDS:.0f} s: see the logs in {logs}")
            sleep(0.05)

    def _report(self) -> DemoReport:
        first = self._pushes[0]
        return DemoReport(
            campaign_id=self._campaign_id,
            pushes=self._pushes,
            leads_per_second=round(first.received / first.seconds),
            messages_per_second=round(first.created / self._first_seconds),
            checks=self._checks,
            adds_up=all(check.holds for check in self._checks),
            outbox=str(self._outbox),
            data_dir=str(self._data_dir),
            seconds=monotonic() - self._began,
        )


def _jobs_of(file: Path) -> list[list[object]]:
    """Cut a file into jobs as an import does."""
    with open_leads(file, {}) as (opened, _):
        leads = (cast("Row", record).lead for record in opened.records)
        return list(iter(lambda: list(islice(leads, JOB_ROWS)), []))


def _summed(what: str, jobs: list[JobReport], seconds: float) -> PushReport:
    counts = ("received", "created", "updated", "unchanged", "duplicates", "errors")
    summed = {name: sum(getattr(job, name) for job in jobs) for name in counts}
    return PushReport(what=what, jobs=len(jobs), seconds=seconds, **summed)
