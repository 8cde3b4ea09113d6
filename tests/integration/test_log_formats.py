"""The two formats of the log: the same facts, and no exception tells its message."""

import json
import logging
import sys

import pytest

from worker.observability import context
from worker.observability.logs import JsonFormatter, TextFormatter

CAMPAIGN, JOB = "camp_01hx4mrqpbcn7wh2gfk9yz6e3s", "job_01hx4mrqpbcn7wh2gfk9yz6e3s"
SECRET = "ana@secret.test"


@pytest.fixture(autouse=True)
def about_a_job() -> None:
    context.begin("4f2a")
    context.about(campaign_id=CAMPAIGN, job_id=JOB)


def failure(name: str = "worker.tasks", message: str = "it failed: %d", arguments: object = (3,)) -> logging.LogRecord:
    try:
        int(SECRET)
    except ValueError:
        return logging.LogRecord(name, logging.ERROR, __file__, 1, message, arguments, sys.exc_info())


def test_a_line_of_text_ends_with_the_ids() -> None:
    first, *where = TextFormatter().format(failure()).splitlines()

    assert first.endswith(f": ERROR/MainProcess] it failed: 3  request=4f2a campaign={CAMPAIGN} job={JOB}")
    assert where[0] == "ValueError"
    assert any("int(SECRET)" in line for line in where)
    assert SECRET not in "".join(where)


def test_a_line_of_json_has_the_ids_as_keys() -> None:
    told = json.loads(JsonFormatter().format(failure()))

    assert (told["message"], told["level"], told["logger"]) == ("it failed: 3", "ERROR", "worker.tasks")
    assert (told["request"], told["campaign"], told["job"]) == ("4f2a", CAMPAIGN, JOB)
    assert told["error"].startswith("ValueError\n")
    assert SECRET not in str(told)


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_celery_s_own_line_on_a_task_that_failed_quotes_nothing(formatter: logging.Formatter) -> None:
    facts = ({"name": "leads.apply", "id": "1", "exc": SECRET, "traceback": SECRET},)
    record = failure("celery.app.trace", "Task %(name)s[%(id)s] raised unexpected: %(exc)s\n%(traceback)s", facts)

    assert "Task leads.apply[1] failed" in formatter.format(record)
    assert SECRET not in formatter.format(record)


def test_ids_that_may_be_something_else_are_left_out() -> None:
    context.begin("ana@secret.test")
    context.about(campaign_id="ana@secret.test", job_id="job_" + "x" * 300)

    assert context.ids() == {}


def test_what_a_task_is_about_is_forgotten_with_the_next() -> None:
    context.begin("5b")

    assert context.ids() == {"request": "5b"}
