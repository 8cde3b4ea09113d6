"""`enroll job`: accepted bulk upserts, and what became of them."""

import typer

from worker.cli.arguments import JobId, Key, OfCampaign, OfJobStatus
from worker.cli.output import AsJson, Limit, print_json, print_one, print_table, say
from worker.reports.jobs import JobFilter, list_jobs, read_job
from worker.reports.shapes import DEFAULT_LIMIT
from worker.store import ledger

app = typer.Typer(no_args_is_help=True, help="Jobs: accepted bulk upserts, and what became of them.")


@app.command("list")
def list_(
    campaign: OfCampaign = None,
    status: OfJobStatus = None,
    key: Key = None,
    limit: Limit = DEFAULT_LIMIT,
    *,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    found = list_jobs(limit, JobFilter(campaign_id=campaign, status=status, key=key))
    if as_json:
        print_json(found)
        return
    columns = ["id", "status", "received", "created", "updated", "errors", "accepted", "last error"]
    rows = [
        [j.id, j.status, j.received, j.created, j.updated, j.errors, f"{j.accepted_at:%F %T}Z", j.last_error]
        for j in found
    ]
    print_table(columns, rows)


@app.command()
def show(job_id: JobId, *, as_json: AsJson = False) -> None:
    """Show a job: its status, its counts, and why it failed if it did."""
    found = read_job(job_id)
    if as_json:
        print_json(found)
    else:
        print_one(found)


@app.command()
def retry(job_id: JobId, *, as_json: AsJson = False) -> None:
    """Accept a dead job anew, as a new job at the end of its lane."""
    anew = read_job(ledger.retry(job_id))
    if as_json:
        print_json(anew)
    else:
        say(f"Job {job_id} was accepted anew as {anew.id}: see `enroll job show {anew.id}`.")
