"""The OpenAPI document is true: whatever is sent, the answer is one that it names, and never a server error."""

import re
from collections.abc import Iterator
from pathlib import Path

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
from support.http import serving

from domain.api_key import SCOPES
from domain.sequence import SequenceStep
from worker.store import campaigns, ledger
from worker.store.api_keys import create_key
from worker.web.app import create_app

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def server(store: Store, tmp_path: Path) -> Iterator[str]:  # noqa: ARG001  # the store it serves
    with api_process(tmp_path / "api.log", ENROLL_SYNC_WAIT_SECONDS="0") as port:
        yield f"http://127.0.0.1:{port}"


# Read here and not from the server: schemathesis' fixtures do not go with this pytest.
schema = schemathesis.openapi.from_dict(create_app().openapi())


@schemathesis.serializer("application/x-ndjson", XLSX)
def as_it_is(_: object, value: object) -> bytes:
    """Hand over a body that is no JSON as the bytes it is."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture
def token(server: str) -> str:  # noqa: ARG001  # the server it is for
    return create_key("default", "fuzzer", SCOPES).token


@pytest.fixture
def existing(server: str) -> dict[str, str]:  # noqa: ARG001  # as above
    """Ids that there are: those made up are rarely more than 404."""
    campaign = campaigns.create_campaign("default", "A", [SequenceStep(subject="Hi", body_html="Hi")]).public_id
    return {"campaign_id": campaign, "job_id": ledger.accept(campaign, [{"email": "a@x.test"}, {"email": "no"}]).job_id}


@schema.parametrize()
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_no_call_leads_to_an_answer_outside_the_document(
    case: Case, server: str, token: str, existing: dict[str, str]
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    case.call_and_validate(base_url=server, headers=headers, checks=CHECKS, timeout=60)
    case.path_parameters.update({name: value for name, value in existing.items() if name in case.path_parameters})
    case.call_and_validate(base_url=server, headers=headers, checks=CHECKS, timeout=60)


@pytest.mark.usefixtures("store")
def test_the_page_of_the_document_needs_no_other_server() -> None:
    with serving() as make:
        page = make()("GET", "/docs").text
        assert re.findall(r"https?://[^\s\"']+", page) == []
        for asset in re.findall(r"(?:src|href)=\"([^\"]+)\"", page):
            assert make()("GET", asset).status_code == 200, asset
