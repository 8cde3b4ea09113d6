"""The counters and histograms, made on import: before that, `worker.observability.directory` says where they count.

In a Celery worker each process of the pool counts in a file of its own, and whoever reads adds them up; those of
processes that died count on. There is no gauge of a process: gauges are read from PostgreSQL, see `snapshot`.
Labels have few values, known beforehand; those that alerts compare with 0 are there from the start.
"""

from typing import Any, cast, get_args
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, values

from domain.stage import BANDS, STAGES
from worker.observability import directory
from worker.observability.labels import ErrorClass, Outcome, RowOutcome, SendOutcome
from worker.settings import settings

disable_created_metrics()
# The library looks at the variable when it is imported, which may have been before we knew: Flower, where it is
# installed, is loaded by every `celery` command, and loads the library.
if directory.shared():
    values.ValueClass = cast("Any", values).MultiProcessValue()

registry = CollectorRegistry()

items_accepted = Counter("enroll_items_accepted", "Jobs accepted, by any door.", registry=registry)
items_finished = Counter(
    "enroll_items_finished",
    "What became of the items of a stage. Accept, apply: jobs. Release: leads. Deliver: sends.",
    ["stage", "outcome"],
    registry=registry,
)
item_errors = Counter(
    "enroll_item_errors", "Tries that failed, by what failed them.", ["stage", "error_class"], registry=registry
)
rows = Counter("enroll_rows", "Rows of applied jobs; no row counts twice.", ["outcome"], registry=registry)
sends = Counter("enroll_sends", "Sends handed to a transport.", ["provider", "outcome"], registry=registry)
duplicate_sends_prevented = Counter(
    "enroll_duplicate_send_prevented", "Sends that would have been a step's second to a lead.", registry=registry
)
operator_actions = Counter(
    "enroll_operator_actions",
    "What people did to campaigns, jobs, sends and stages.",
    ["action", "result"],
    registry=registry,
)
item_wait = Histogram(
    "enroll_item_wait_seconds",
    "From due to taken up. Apply: each job. Release: each chunk, on average. Deliver: each send, the first time.",
    ["stage"],
    buckets=BANDS,
    registry=registry,
)
item_run = Histogram(
    "enroll_item_run_seconds",
    "How long a batch took: jobs committed or applied together, leads released together, sends claimed together.",
    ["stage"],
    buckets=BANDS,
    registry=registry,
)
end_to_end = Histogram(
    "enroll_end_to_end_seconds",
    "From a job's acceptance to the transport's having step one, in campaigns that ran when the job was accepted.",
    buckets=BANDS,
    registry=registry,
)
http_requests = Histogram(
    "enroll_http_request_duration_seconds",
    "Requests to the API, the wait for their jobs included.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
    registry=registry,
)
release_succeeded = Gauge(
    "enroll_release_last_success_timestamp_seconds",
    "When leads were last released, or nobody was due.",
    multiprocess_mode="mostrecent",
    registry=registry,
)


def _begin_at_zero() -> None:
    for stage in STAGES:
        item_wait.labels(stage)
        item_run.labels(stage)
        for outcome in get_args(Outcome):
            items_finished.labels(stage, outcome)
        for error_class in get_args(ErrorClass):
            item_errors.labels(stage, error_class)
    for outcome in get_args(RowOutcome):
        rows.labels(outcome)
    for outcome in get_args(SendOutcome):
        sends.labels(provider(), outcome)


def provider() -> str:
    """Give the kind of transport that messages leave by."""
    return urlsplit(settings().effective_transport_url).scheme


_begin_at_zero()
