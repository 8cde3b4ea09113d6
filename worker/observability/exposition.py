"""What /metrics says: the counters of this program's processes, and the gauges read from PostgreSQL."""

import logging
import threading
from collections.abc import Iterable
from functools import lru_cache
from typing import cast

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, start_http_server
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from worker.observability import broker, directory
from worker.observability.snapshot import Reading, Sampler
from worker.settings import settings

CONTENT_TYPE = CONTENT_TYPE_LATEST

_GAUGES = {
    "queue_oldest_due_age_seconds": "Age of the oldest item that is due, or was and backs off; 0 where none is.",
    "queue_due_items": "Items that are due, counted up to 100,000.",
    "queue_scheduled_items": "Items that will be due later: next steps.",
    "queue_retrying_items": "Items that were tried in vain and are to be tried again, now or after a back-off.",
    "queue_held_items": "Items that would be due, but for a pause or a rate limit.",
    "running_items": "Lanes at work, and sends claimed.",
    "running_oldest_age_seconds": "For how long the one of them at work longest has been.",
    "dead_items": "Jobs that failed for good and were not retried, sends of which nobody knows whether they left.",
    "dead_oldest_age_seconds": "For how long the oldest of them has waited for a person.",
    "expired_leases": "Sends whose worker died or froze with them.",
    "paused": "Whether people paused the stage.",
    "pause_age_seconds": "For how long it has been paused.",
    "workers_alive": "Workers that take from the queue and lived within 30 s.",
    "worker_slots": "Tasks that those can do at once.",
    "unaccounted_enrollments": "Leads neither due, nor done, nor waiting for a send, among those looked at. Must be 0.",
    "broker_messages": "Messages on the queue, in Redis: nudges, and leads that are not accepted yet.",
    "snapshot_timestamp_seconds": "When the gauges were read from PostgreSQL.",
}

_AGAIN_SECONDS = 2.0

log = logging.getLogger(__name__)


class _Gauges(Collector):
    def __init__(self) -> None:
        self._sampler = Sampler()

    def collect(self) -> Iterable[Metric]:
        return families([*self._sampler.readings(), *broker.readings()])


def families(readings: Iterable[Reading]) -> list[Metric]:
    """Give readings as metrics, one a name."""
    found: dict[str, GaugeMetricFamily] = {}
    for name, labels, value in readings:
        if name not in found:
            found[name] = GaugeMetricFamily(f"enroll_{name}", _GAUGES[name], labels=list(labels))
        found[name].add_metric(list(labels.values()), value)
    return list(found.values())


@lru_cache(maxsize=1)
def registry() -> CollectorRegistry:
    """Everything that this program tells."""
    from worker.observability import instruments  # noqa: PLC0415  # a program that is forked knows only then where to count

    made = CollectorRegistry()
    shared = directory.shared()
    made.register(MultiProcessCollector(None, str(shared)) if shared else cast("Collector", instruments.registry))
    made.register(_Gauges())
    return made


def exposition() -> bytes:
    """Give the text that Prometheus reads."""
    return generate_latest(registry())


def serve_in_background() -> None:
    """Serve /metrics on ENROLL_METRICS_PORT, if it is set; where that is taken, as soon as it is free.

    A worker must not fail because another, which is about to end, still has the port.
    """
    if settings().metrics_port is not None:
        threading.Thread(target=_serve, name="metrics", daemon=True).start()


def _serve() -> None:
    host, port = settings().metrics_host, settings().metrics_port or 0
    told = False
    while True:
        try:
            server, _ = start_http_server(port, host, registry())
        except OSError as error:
            if not told:
                log.warning("ENROLL_METRICS_PORT: nobody can listen on %s:%d now: %s", host, port, error.strerror)
            told = True
            threading.Event().wait(_AGAIN_SECONDS)
        else:
            log.info("metrics: http://%s:%d/metrics", host, server.server_port)
            return
