"""`enroll up` and `enroll demo` as a newcomer runs them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.exposition import Samples
from support.polling import until

from worker.embedded.process import ProcessId, free_port
from worker.embedded.stack import remove_data

ENROLL = [sys.executable, "-c", "from worker.cli.main import main; main()"]
STOPS_WITHIN = 10
SEED_BODY = """{
    "leads": [
      {
        "email": "priya.sharma@voltmetrics.io",
        "firstName": "Priya",
        "company": "Voltmetrics",
        "jobTitle": "VP of Sales"
      },
      {
        "email": "dan.foster@loopcraft.com",
        "firstName": "Dan",
        "company": "Loopcraft",
        "jobTitle": "Head of Growth",
        "useCase": "outbound pipeline generation"
      }
    ]
  }"""


class Stack:
    """An `enroll up` with a data directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.api_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        """Start it and wait until it is ready; say what it said where it is not."""
        with (self.folder / "up.log").open("wb") as log:
            self._process = subprocess.Popen([*ENROLL, "up"], cwd=self.folder, env=self._environment(), stderr=log)
        until(lambda: self._process.poll() is not None or "Ready." in self.told(), within=120, what="an outcome")
        assert self._process.poll() is None, self.told()

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [*ENROLL, *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self._environment(), capture_output=True, text=True, check=False
        )

    def curl(self, token: str, path: str, body: str) -> str:
        headers = ["-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json"]
        url = f"http://127.0.0.1:{self.api_port}{path}"
        return subprocess.run(
            ["curl", "-sS", "-X", "POST", url, *headers, "-d", body], capture_output=True, text=True, check=True
        ).stdout

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def signal(self, number: signal.Signals) -> int:
        assert self._process
        self._process.send_signal(number)
        return self._process.wait(60)

    def told(self) -> str:
        return (self.folder / "up.log").read_text()

    def programs(self) -> dict[str, ProcessId]:
        notes = {note.stem: note.read_text().split() for note in (self.data_dir / "run").glob("*.pid")}
        return {name: ProcessId(int(pid), started) for name, (pid, started) in notes.items()}

    def close(self) -> None:
        if self._process and self._process.poll() is None:
            self.signal(signal.SIGTERM)
        if (self.data_dir / "lock").exists():
            remove_data(self.data_dir, print)

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ENROLL_")}
        return {
            **inherited,
            "ENROLL_DATA_DIR": str(self.data_dir),
            "ENROLL_SWEEP_SECONDS": "1",
            "ENROLL_API_PORT": str(self.api_port),
        }


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    yield made
    made.close()


@pytest.fixture
def campaign(stack: Stack) -> Callable[[], str]:
    """Create a campaign of one step on the running stack."""

    def create() -> str:
        steps = stack.folder / "steps.json"
        steps.write_text('[{"subject": "Hi {{firstName}}", "bodyHtml": "<p>Hi</p>"}]')
        return stack.json("campaign", "create", "--name", "Autumn", "--steps", str(steps))["id"]

    return create


def assert_stops_cleanly(stack: Stack, number: signal.Signals) -> None:
    programs, began = stack.programs(), time.monotonic()

    assert stack.signal(number) == 0

    assert time.monotonic() - began < STOPS_WITHIN
    assert not any(program.is_alive() for program in programs.values())
    assert "Traceback" not in stack.told()


def test_the_commands_of_the_readme_work_against_the_running_stack(stack: Stack, campaign: Callable[[], str]) -> None:
    assert "start `enroll up`" in stack.run("status").stderr
    stack.up()
    created = campaign()
    (stack.folder / "leads.csv").write_text("email,First Name\nana@x.test,Ana\nnobody,No\n")

    imported = stack.json("import", "leads.csv", "--campaign", created)
    assert (imported["received"], imported["created"], imported["errors"]) == (2, 1, 1)
    stack.json("campaign", "start", created)
    until(lambda: stack.json("campaign", "show", created)["stats"]["completed"] == 1, what="the sequence's end")

    assert len(list((stack.data_dir / "outbox").glob("*.eml"))) == 1
    overview = stack.json("status")
    assert overview["sends"]["sent"] == 1
    samples = Samples.scraped(f"http://127.0.0.1:{stack.api_port}/metrics")
    assert samples.get("sends_total", provider="file", outcome="accepted") == 1, "what the workers counted"
    assert samples.get("workers_alive", queue="delivery") == 1
    assert overview["databaseUrl"].startswith("postgresql://enroll:***@")


def test_the_call_of_the_first_page_works_to_the_letter_with_the_key_that_is_shown_once(stack: Stack) -> None:
    stack.up()
    token = re.findall(r"API key: +(sk_live_\w+)", stack.told())[0]
    created = stack.json("campaign", "create", "--name", "Autumn")["id"]

    answer = json.loads(stack.curl(token, f"/v1/campaigns/{created}/leads/bulk", SEED_BODY))

    told = answer["data"]
    assert (told["created"], told["updated"], told["enrolled"], told["errors"]) == (2, 0, 2, [])
    assert_stops_cleanly(stack, signal.SIGTERM)
    stack.up()
    assert "sk_live_" not in stack.told()


def test_a_port_that_is_taken_stops_it_with_one_line(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", stack.api_port)):
        refused = stack.run("up")

    assert refused.returncode == 1
    assert f"ENROLL_API_PORT cannot be used: nobody can listen on 127.0.0.1:{stack.api_port} now" in refused.stderr


def test_a_second_stack_is_refused_and_ctrl_c_stops_the_first_one(stack: Stack) -> None:
    stack.up()

    second = stack.run("up")

    assert second.returncode == 1
    assert re.fullmatch(r"enroll: .* is in use by process \d+: stop that one first.*\n", second.stderr)
    assert_stops_cleanly(stack, signal.SIGINT)


def test_programs_that_die_are_started_again(stack: Stack, campaign: Callable[[], str]) -> None:
    stack.up()
    before = stack.programs()
    assert before.keys() >= {"enrolling", "delivering", "beat", "api", "intake"}

    for program in before.values():
        os.kill(program.pid, signal.SIGKILL)
    until(lambda: not (set(stack.programs().values()) & set(before.values())), what="new processes")

    created = campaign()
    (stack.folder / "leads.csv").write_text("email\nana@x.test\n")
    assert stack.json("import", "leads.csv", "--campaign", created)["created"] == 1


def test_what_a_killed_stack_left_is_cleaned_up_and_kept(stack: Stack, campaign: Callable[[], str]) -> None:
    stack.up()
    created = campaign()
    old = stack.programs()
    stack.signal(signal.SIGKILL)
    assert all(program.is_alive() for program in old.values())

    stack.up()

    assert not any(program.is_alive() for program in old.values())
    assert stack.json("campaign", "show", created)["name"] == "Autumn"


def test_an_unusable_setting_stops_it_with_one_line(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "_environment", lambda: {**os.environ, "ENROLL_MAIL_FROM": "nobody"})

    refused = stack.run("up")

    assert refused.returncode == 1
    assert refused.stderr.startswith("enroll: ENROLL_MAIL_FROM cannot be used: ")
    assert refused.stderr.count("\n") == 1


def test_the_demo_adds_up_and_leaves_one_message_a_lead(stack: Stack) -> None:
    began = time.monotonic()

    report = stack.json("demo")

    assert report["addsUp"]
    assert all(check["expected"] == check["found"] for check in report["checks"])
    assert report["pushes"][0]["created"] == 5_000
    assert len(list(Path(report["outbox"]).glob("*.eml"))) == 5_200
    assert report["seconds"] < time.monotonic() - began
    again = stack.json("demo")
    assert again["addsUp"], "a second run starts from nothing"
    remove_data(Path(report["dataDir"]), print)
