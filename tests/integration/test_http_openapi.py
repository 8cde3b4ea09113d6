"""The OpenAPI document is true: whatever is sent, the answer is one that it names, and never a server error."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import schemathesis
from conftest import Store
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.api_process import api_process
from support.app import shared_app
from support.http import Caller

from domain.api_key import SCOPES
from domain.sequence import SequenceStep
from worker.store import campaigns, ledger
from worker.store.api_keys import create_key

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


class Server(NamedTuple):
    """The API, with a key of every scope and something to ask for: ids made up are rarely more than 404."""

    address: str
    token: str
    existing: dict[str, str]


@pytest.fixture(scope="module")
def server(lasting_store: Store) -> Iterator[Server]:
    with api_process(lasting_store.data_dir / "api.log", ENROLL_SYNC_WAIT_SECONDS="0") as port:
        yield Server(f"http://127.0.0.1:{port}", create_key("default", "fuzzer", SCOPES).token, something())


def something() -> dict[str, str]:
    campaign = campaigns.create_campaign("default", "A", [SequenceStep(subject="Hi", body_html="Hi")]).public_id
    return {"campaign_id": campaign, "job_id": ledger.accept(campaign, [{"email": "a@x.test"}, {"email": "no"}]).job_id}


# Read here and not from the server: schemathesis' fixtures do not go with this pytest.
schema = schemathesis.openapi.from_dict(shared_app().openapi())


@schemathesis.serializer("application/x-ndjson", XLSX)
def as_it_is(_: object, value: object) -> bytes:
    """Hand over a body that is no JSON as the bytes it is."""
    return value if isinstance(value, bytes) else str(value).encode()


@schema.parametrize()
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_no_call_leads_to_an_answer_outside_the_document(case: Case, server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.token}"}
    case.call_and_validate(base_url=server.address, headers=headers, checks=CHECKS, timeout=60)
    named = {name: value for name, value in server.existing.items() if name in case.path_parameters}
    case.path_parameters.update(named)
    case.call_and_validate(base_url=server.address, headers=headers, checks=CHECKS, timeout=60)


def test_the_page_of_the_document_needs_no_other_server(caller: Caller) -> None:
    page = caller("GET", "/docs").text
    assert re.findall(r"https?://[^\s\"']+", page) == []
    for asset in re.findall(r"(?:src|href)=\"([^\"]+)\"", page):
        assert caller("GET", asset).status_code == 200, asset
