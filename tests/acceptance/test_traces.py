"""One trace from the request to the API through the worker to the message: the real processes tell a collector."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from conftest import Store
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.api_process import api_process
from support.database import sql
from support.fleet import Workers
from support.polling import until

from worker.enrolling import take_turn
from worker.store import campaigns, ledger
from worker.store.api_keys import create_key
from worker.store.tables import Campaign

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
LEAD = {"email": "ana@secret.test", "firstName": "Quetzalcoatl"}


class Collector:
    """What is sent by OTLP."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def spans(self) -> dict[str, Any]:
        """The spans of the trace, by name."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in list(self.bodies)]
        found = [s for r in requests for of in r.resource_spans for scope in of.scope_spans for s in scope.spans]
        return {span.name: span for span in found if span.trace_id.hex() == TRACE}


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_a_trace_goes_from_the_request_through_the_worker_to_the_message(
    store: Store, collector: Collector, new_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    campaign = new_campaign()
    ledger.accept(campaign.public_id, [{"email": "first@x.test"}])
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    token = create_key("default", "test", ["leads:write"]).token
    headers = {"Authorization": f"Bearer {token}", "traceparent": f"00-{TRACE}-{CALLER}-01"}
    with (
        Workers(store.data_dir / "logs", environment=environment),
        api_process(tmp_path / "api.log", **environment) as port,
    ):
        url = f"http://127.0.0.1:{port}/v1/campaigns/{campaign.public_id}/leads/bulk"
        assert httpx.post(url, headers=headers, json={"leads": [LEAD]}, timeout=60).status_code == 200
        names = {"POST /v1/campaigns/{campaign_id}/leads/bulk", "apply", "release", "deliver"}
        until(lambda: collector.spans().keys() >= names, what="the spans")

    spans = collector.spans()
    request, apply = spans["POST /v1/campaigns/{campaign_id}/leads/bulk"], spans["apply"]
    assert request.parent_span_id.hex() == CALLER
    assert apply.parent_span_id == request.span_id
    assert spans["release"].parent_span_id == spans["deliver"].parent_span_id == apply.span_id
    told = b"".join(collector.bodies)
    assert campaign.public_id.encode() in told
    assert b"secret" not in told
    assert b"Quetzalcoatl" not in told


def test_nothing_is_stored_or_sent_where_nobody_is_to_be_told(
    collector: Collector, new_campaign: Callable[..., Campaign]
) -> None:
    campaign = new_campaign()
    ledger.accept(campaign.public_id, [LEAD])
    campaigns.start_campaign(campaign.public_id)
    take_turn(campaign.number)

    assert sql("SELECT job.trace, send.trace FROM job, send") == [(None, None)]
    assert collector.bodies == []
