"""Uploads over a real connection: slow ones, idle ones, and such as are cut before they end."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx2 as httpx
import pytest
from conftest import Store
from support.command_line import applying
from support.database import sql, stored_leads
from support.polling import until
from support.uploads import SlowUpload, listening

from domain.api_key import DEFAULT_SCOPES
from worker.embedded.process import free_port, listens
from worker.store.api_keys import create_key
from worker.store.tables import Campaign
from worker.web import import_desk, upload

ROWS = "".join(f"lead{n}@x.test,{n}\n" for n in range(700))


@pytest.fixture
def campaign(new_campaign: Callable[..., Campaign]) -> Campaign:
    return new_campaign()


@pytest.fixture
def token(store: Store) -> str:  # noqa: ARG001  # the store it is for
    return create_key("default", "test", DEFAULT_SCOPES).token


def path(campaign: Campaign) -> str:
    return f"/v1/campaigns/{campaign.public_id}/leads/import"


def last_import(port: int, campaign: Campaign, token: str) -> Any:
    answer = httpx.get(
        f"http://127.0.0.1:{port}/v1/campaigns/{campaign.public_id}/imports",
        headers={"Authorization": f"Bearer {token}"},
    )
    found = answer.json()["data"]
    return found[0] if found else None


def ended(port: int, campaign: Campaign, token: str) -> Any:
    """The last import, once it no longer runs and all of its jobs are applied."""

    def look() -> Any:
        told = last_import(port, campaign, token)
        return told if told and told["status"] != "running" and not told["jobs"]["accepted"] else None

    return until(look)


def accepted_rows() -> int:
    return sql("SELECT coalesce(sum(received), 0) FROM lead_import")[0][0]


@pytest.mark.parametrize("tail", ["", "half@x.te", 'half@x.test,"open', "half@x.test,1"])
def test_a_cut_upload_is_incomplete_with_what_was_accepted_and_no_half_row(
    campaign: Campaign, token: str, tail: str
) -> None:
    with listening() as port, applying():
        slow = SlowUpload(port, path(campaign), token).send(f"email,n\n{ROWS}{tail}")
        until(lambda: accepted_rows() == 500)
        slow.cut()
        told = ended(port, campaign, token)

    assert (told["status"], told["why"]) == ("incomplete", "the connection was cut")
    assert (told["received"], told["created"], told["errors"]) == (700, 700, 0)
    assert "half@x.test" not in stored_leads(campaign.number)


def test_an_upload_that_is_cut_before_its_header_is_complete_is_an_import_of_nothing(
    campaign: Campaign, token: str
) -> None:
    with listening() as port:
        slow = SlowUpload(port, path(campaign), token).send("ema")
        until(lambda: last_import(port, campaign, token))
        slow.cut()
        told = ended(port, campaign, token)

    assert (told["status"], told["received"], told["jobs"]["applied"]) == ("incomplete", 0, 0)


def test_an_idle_upload_ends_and_says_what_was_accepted(
    campaign: Campaign, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "IDLE_SECONDS", 0.5)
    with listening() as port, applying():
        slow = SlowUpload(port, path(campaign), token).send(f"email,n\n{ROWS}")
        status, answer = slow.answer()
        told = ended(port, campaign, token)

    assert (status, answer["error"]["code"]) == (400, "invalid_request")
    assert told["id"] in answer["error"]["message"]
    assert (told["status"], told["received"]) == ("incomplete", 700)
    assert told["why"].startswith("nothing came for")


def test_a_slow_upload_is_complete_in_the_end_and_holds_up_nobody(campaign: Campaign, token: str) -> None:
    with listening() as port, applying():
        uploads = [SlowUpload(port, path(campaign), token).send("email,n\n") for _ in range(4)]
        until(lambda: sql("SELECT count(*) FROM lead_import") == [(4,)])
        refused = SlowUpload(port, path(campaign), token).answer()
        for place in range(0, len(ROWS), 3_000):
            for slow in uploads:
                slow.send(ROWS[place : place + 3_000])
            assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        answers = [slow.end() for slow in uploads]

    assert (refused[0], refused[1]["error"]["code"]) == (429, "too_many_imports")
    assert import_desk.AT_ONCE_OF_A_WORKSPACE == 4
    assert [status for status, _ in answers] == [202] * 4
    assert [answer["data"]["received"] for _, answer in answers] == [700] * 4
    assert len(stored_leads(campaign.number)) == 700


def test_a_server_that_is_stopped_ends_its_uploads_as_incomplete(campaign: Campaign, token: str) -> None:
    with ExitStack() as client:
        with listening(stops_within=1) as port:
            client.enter_context(SlowUpload(port, path(campaign), token)).send(f"email,n\n{ROWS}")
            until(lambda: accepted_rows() == 500)
            stopping = time.monotonic()
        until(lambda: sql("SELECT reading FROM lead_import") == [("incomplete",)])

    assert time.monotonic() - stopping < 10
    assert sql("SELECT why, received FROM lead_import") == [("the server was stopped", 700)]


def test_a_server_that_is_killed_leaves_an_import_that_reads_as_incomplete(
    campaign: Campaign, token: str, store: Store
) -> None:
    port = free_port()
    command = [sys.executable, "-m", "worker", "api", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=dict(os.environ)) as server:
        try:
            until(lambda: listens("127.0.0.1", port))
            with SlowUpload(port, path(campaign), token).send(f"email,n\n{ROWS}"):
                until(lambda: accepted_rows() == 500)
                server.kill()
        finally:
            server.kill()
    sql("UPDATE lead_import SET heard_at = heard_at - interval '61 seconds'")

    with listening() as port, applying():
        told = ended(port, campaign, token)

    assert store.database_url
    assert (told["status"], told["received"], told["created"]) == ("incomplete", 500, 500)


def test_a_single_lead_is_not_held_up_by_a_long_import(campaign: Campaign, token: str) -> None:
    rows = "email,n\n" + "".join(f"lead{n}@x.test,{n}\n" for n in range(20_000))
    waits: list[float] = []
    with listening() as port, applying():
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{port}{path(campaign)}"
        answers: list[httpx.Response] = []
        importing = threading.Thread(
            target=lambda: answers.append(
                httpx.post(url, content=rows, headers=headers | {"Content-Type": "text/csv"}, timeout=60)
            )
        )
        importing.start()
        until(lambda: accepted_rows() > 0)
        while importing.is_alive():
            began = time.monotonic()
            one = httpx.post(url.replace("import", "bulk"), json={"leads": [{"email": "a@x.test"}]}, headers=headers)
            waits.append(time.monotonic() - began)
            assert one.status_code == 200
        importing.join()

    assert answers[0].json()["data"]["received"] == 20_000
    assert max(waits) < 5
