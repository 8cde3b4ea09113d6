"""`enroll demo` says so when something does not add up."""

from contextlib import nullcontext

import pytest
from support.command_line import enroll

from worker.cli.demo import command
from worker.cli.demo.shapes import Check, DemoReport, PushReport
from worker.cli.demo.story import Story

COUNTS = {"jobs": 1, "received": 2, "created": 2, "updated": 0, "unchanged": 0, "duplicates": 0, "errors": 0}


@pytest.mark.usefixtures("store")
def test_a_check_that_fails_is_shown_and_ends_the_demo_with_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [Check(what="messages in all", expected="2", found="1"), Check(what="jobs", expected="1", found="1")]
    monkeypatch.setattr(command, "_own_stack", lambda *_: nullcontext())
    monkeypatch.setattr(Story, "run", lambda _: _report(checks))

    said = enroll("demo")

    assert said.code == 1
    assert "✗  messages in all  2        1" in said.stdout
    assert "✓  jobs" in said.stdout
    assert "does not add up" in said.stderr


def _report(checks: list[Check]) -> DemoReport:
    return DemoReport(
        campaign_id="camp_x",
        pushes=[PushReport.model_validate({"what": "leads.csv", **COUNTS, "seconds": 1})],
        leads_per_second=2,
        messages_per_second=1,
        checks=checks,
        adds_up=all(check.holds for check in checks),
        outbox="outbox",
        data_dir="data",
        seconds=1,
    )
