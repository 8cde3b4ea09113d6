"""The alert rules: what must fire does, and what is fine stays silent. Every name they use is really exported."""

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.command_line import enroll
from support.exposition import Samples
from support.ops import VIEWER, page
from support.prometheus import Firing, play, rising, run_rules, steady, until_minute

from worker.observability import exposition
from worker.observability.broker import readings as broker_readings

OBSERVABILITY = Path(str(files("worker.observability")))
RULES = OBSERVABILITY / "alerts.yml"
README = Path(__file__).parent.parent.parent / "README.md"
QUEUE_OF = {"accept": "enrollment:intake", "apply": "enrollment", "release": "sequencer", "deliver": "delivery"}


def gauge(name: str, stage: str, **more: str) -> str:
    labels = {"stage": stage, "queue": QUEUE_OF[stage], **more}
    written = ", ".join(f'{label}="{value}"' for label, value in labels.items())
    return f"enroll_queue_{name}{{{written}}}"


def finished(stage: str, outcome: str = "ok", instance: str = "worker") -> str:
    return f'enroll_items_finished_total{{stage="{stage}", outcome="{outcome}", instance="{instance}"}}'


def errors(stage: str) -> str:
    return f'enroll_item_errors_total{{stage="{stage}", error_class="internal"}}'


UNKNOWN_SENDS = 'enroll_sends_total{provider="smtp", outcome="unknown"}'
RELEASED_AT = 'enroll_release_last_success_timestamp_seconds{instance="worker"}'
SEEN_AT = "enroll_snapshot_timestamp_seconds"
END_TO_END = 'enroll_end_to_end_seconds_bucket{le="%s"}'


def healthy() -> dict[str, str]:
    """A hundred items a second through every stage, and nothing waits."""
    series = {
        RELEASED_AT: rising(60),
        SEEN_AT: rising(60),
        UNKNOWN_SENDS: steady(0),
        "enroll_unaccounted_enrollments": steady(0),
    }
    for stage, queue in QUEUE_OF.items():
        series[gauge("due_items", stage)] = series[gauge("oldest_due_age_seconds", stage)] = steady(0)
        series[gauge("held_items", stage, reason="paused")] = steady(0)
        series[gauge("held_items", stage, reason="rate_limited")] = steady(0)
        series[errors(stage)] = steady(0)
        series[finished(stage)] = rising(6_000)
        for instance in ("api", "worker"):
            for outcome in ("retry", "dead", "skipped", "expired"):
                series[finished(stage, outcome, instance)] = steady(0)
        series[finished(stage, instance="api")] = steady(0)
        if stage != "accept":
            series[f'enroll_workers_alive{{queue="{queue}"}}'] = steady(2)
            series[f'enroll_paused{{scope="{stage}"}}'] = series[f'enroll_pause_age_seconds{{scope="{stage}"}}'] = (
                steady(0)
            )
    for stage in ("apply", "deliver"):
        series[f'enroll_dead_oldest_age_seconds{{stage="{stage}"}}'] = steady(0)
        series[f'enroll_expired_leases{{stage="{stage}"}}'] = steady(0)
        series[f'enroll_running_oldest_age_seconds{{stage="{stage}"}}'] = steady(1)
    for bound in ("1.0", "300.0", "600.0", "+Inf"):
        series[END_TO_END % bound] = rising(6_000)
    return series


def bulk_of_a_million() -> dict[str, str]:
    """Released in a minute; the transport takes 100 a second, for hours. Counts of what is due stop at 100,000."""
    end_to_end = {END_TO_END % bound: "0+6000x10 60000x165 66000+6000x70" for bound in ("1.0", "300.0")}
    return {
        **end_to_end,
        gauge("due_items", "release"): "0 100000 0x240",
        gauge("oldest_due_age_seconds", "release"): "0 60 0x240",
        gauge("due_items", "deliver"): "0x10 100000x150 90000-6000x15 0x60",
        gauge("oldest_due_age_seconds", "deliver"): "0x10 0+60x160 0x60",
    }


def paused() -> dict[str, str]:
    return {
        'enroll_paused{scope="deliver"}': steady(1),
        'enroll_pause_age_seconds{scope="deliver"}': rising(60),
        gauge("held_items", "deliver", reason="paused"): steady(5_000),
        finished("deliver"): steady(0),
    }


def rate_limited_and_moving() -> dict[str, str]:
    return {
        gauge("held_items", "deliver", reason="rate_limited"): steady(5_000),
        gauge("due_items", "deliver"): steady(5_000),
        gauge("oldest_due_age_seconds", "deliver"): rising(60, start=20_000),
        finished("deliver"): rising(60),
    }


def workers_dead() -> dict[str, str]:
    """From minute 30 on; their metrics vanish with them, those of the API stay."""
    gone = {finished(stage): until_minute(30, 6_000, "stale") for stage in ("apply", "release", "deliver")}
    return {
        **gone,
        RELEASED_AT: until_minute(30, 60, "stale"),
        'enroll_workers_alive{queue="enrollment"}': "2x30 0x210",
        'enroll_workers_alive{queue="sequencer"}': "2x30 0x210",
        'enroll_workers_alive{queue="delivery"}': "2x30 0x210",
        gauge("due_items", "apply"): "0x30 5000x210",
        gauge("oldest_due_age_seconds", "apply"): "0x30 0+60x210",
    }


STALLED = Firing("EnrollStageStalled", "apply")
NO_WORKERS = Firing("EnrollNoWorkers", "enrollment")


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        pytest.param({}, {30: [], 239: []}, id="all is well"),
        pytest.param(bulk_of_a_million(), {minute: [] for minute in (5, 20, 60, 120, 180, 239)}, id="a bulk moves"),
        pytest.param(paused(), {30: [], 90: [Firing("EnrollPausedTooLong", "deliver")]}, id="paused"),
        pytest.param(rate_limited_and_moving(), {30: [], 120: []}, id="rate limited and moving"),
        pytest.param(workers_dead(), {29: [], 34: [NO_WORKERS], 60: [STALLED, NO_WORKERS]}, id="workers dead"),
    ],
)
def test_alerts_are_silent_where_all_is_well_and_few_where_it_is_not(
    series: Mapping[str, str], expected: Mapping[int, list[Firing]], tmp_path: Path
) -> None:
    played = run_rules(tmp_path, RULES, {**healthy(), **series}, expected)

    assert played.returncode == 0, played.stdout + played.stderr


@pytest.mark.parametrize(
    ("series", "minute", "firing"),
    [
        (
            {finished("apply"): steady(0), gauge("oldest_due_age_seconds", "apply"): rising(60)},
            30,
            Firing("EnrollStageStalled", "apply"),
        ),
        ({gauge("oldest_due_age_seconds", "apply"): rising(60)}, 30, Firing("EnrollOldestAgeHigh", "apply")),
        (
            {gauge("due_items", "deliver"): rising(600), finished("deliver"): rising(60)},
            120,
            Firing("EnrollBacklogGrowing", "deliver"),
        ),
        ({errors("deliver"): rising(600)}, 30, Firing("EnrollFailureRatioHigh", "deliver")),
        ({finished("apply", "dead"): "0x20 1x220"}, 25, Firing("EnrollDeadIncreasing", "apply")),
        (
            {'enroll_dead_oldest_age_seconds{stage="deliver"}': steady(90_000)},
            15,
            Firing("EnrollDeadUnattended", "deliver"),
        ),
        ({RELEASED_AT: "0+60x20 1200x220"}, 30, Firing("EnrollReleaseMissed")),
        ({UNKNOWN_SENDS: "0x20 3x220"}, 28, Firing("EnrollSendUnknownOutcome", "smtp")),
        ({"enroll_unaccounted_enrollments": steady(1)}, 15, Firing("EnrollUnaccounted")),
        ({'enroll_expired_leases{stage="deliver"}': steady(4)}, 15, Firing("EnrollLeaseExpired", "deliver")),
        (
            {'enroll_running_oldest_age_seconds{stage="apply"}': steady(1_000)},
            15,
            Firing("EnrollStuckRunning", "apply"),
        ),
        ({finished("deliver", "expired"): "0x20 3x220"}, 25, Firing("EnrollItemsExpired", "deliver")),
        ({SEEN_AT: "0+60x20 1200x220"}, 30, Firing("EnrollMetricsStale")),
        ({SEEN_AT: "0+60x20 stale"}, 30, Firing("EnrollMetricsStale")),
        ({END_TO_END % "1.0": steady(0), END_TO_END % "300.0": steady(0)}, 60, Firing("EnrollEndToEndSlow")),
    ],
    ids=lambda value: value.alert if isinstance(value, Firing) else "",
)
def test_each_alert_fires_for_its_own_reason_alone(
    series: Mapping[str, str], minute: int, firing: Firing, tmp_path: Path
) -> None:
    played = run_rules(tmp_path, RULES, {**healthy(), **series}, {minute: [firing]})

    assert played.returncode == 0, played.stdout + played.stderr


def test_a_difference_is_found(tmp_path: Path) -> None:
    """The broken twin."""
    played = run_rules(tmp_path, RULES, healthy(), {30: [Firing("EnrollUnaccounted")]})

    assert played.returncode != 0


def rules() -> list[dict[str, Any]]:
    return yaml.safe_load(RULES.read_text())["groups"][0]["rules"]


def dashboard() -> dict[str, Any]:
    return json.loads((OBSERVABILITY / "dashboard.json").read_text())


def names_used(text: str) -> set[str]:
    return set(re.findall(r"enroll_[a-z_]+", text))


@pytest.mark.usefixtures("store")
def test_every_metric_that_alerts_and_dashboard_name_is_exported() -> None:
    exposition.registry.cache_clear()
    list(broker_readings())
    text = exposition.exposition().decode()
    exported = Samples.of(text).names | {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    exported |= {f"{name}_{part}" for name in exported for part in ("bucket", "count", "sum", "total")}
    expressions = [rule["expr"] for rule in rules()]
    expressions += [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]

    assert names_used(" ".join(expressions)) - exported == set()
    assert len(names_used(" ".join(expressions))) > 20


def test_every_alert_says_what_it_is_and_where_to_look() -> None:
    headings = re.findall(r"^#+ (.+)$", README.read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for rule in rules():
        notes = rule["annotations"]
        assert {"summary", "description", "runbook_url", "dashboard_url"} <= notes.keys(), rule["alert"]
        assert notes["runbook_url"] == f"README.md#{rule['alert'].lower()}"
        assert rule["alert"].lower() in anchors, f"{rule['alert']} has no entry in the runbook"
        assert notes["dashboard_url"].startswith("http://127.0.0.1:8080/ops")
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_the_command_prints_the_rules_with_the_addresses_put_in() -> None:
    said = enroll(
        "alerts", "--ops-url", "https://enroll.example.com/", "--runbook-url", "https://wiki.example.com/enroll"
    )

    assert (
        yaml.safe_load(said.stdout)["groups"][0]["rules"][0]["annotations"].keys() == rules()[0]["annotations"].keys()
    )
    assert "https://enroll.example.com/ops/sends?status=unknown" in said.stdout
    assert "https://wiki.example.com/enroll#enrollstagestalled" in said.stdout
    assert "127.0.0.1" not in said.stdout
    assert "README.md" not in said.stdout


def test_the_command_prints_the_dashboard() -> None:
    assert json.loads(enroll("dashboard").stdout) == dashboard()


def test_no_panel_of_the_dashboard_lies_on_another() -> None:
    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_an_alert_links_to_the_rows_of_its_stage(tmp_path: Path) -> None:
    """What the templates make of the labels, as a person sees it."""
    series = {**healthy(), **workers_dead()}
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    notes = {
        "summary": "apply stands still",
        "description": "The oldest item due at the stage apply has waited for 30m 0s,"
        " and the stage has finished nothing for 10 minutes.",
        "runbook_url": "README.md#enrollstagestalled",
        "dashboard_url": "http://127.0.0.1:8080/ops/jobs?status=accepted",
    }
    labels = {"stage": "apply", "severity": "critical", "service": "enroll"}
    expected = [{"exp_labels": labels, "exp_annotations": notes}]
    looked = [{"alertname": "EnrollStageStalled", "eval_time": "61m", "exp_alerts": expected}]

    played = play(tmp_path, RULES, {"input_series": inputs, "alert_rule_test": looked})

    assert played.returncode == 0, played.stdout + played.stderr


@pytest.mark.usefixtures("store")
def test_the_pages_that_alerts_link_to_are_there() -> None:
    links = " ".join(rule["annotations"]["dashboard_url"] for rule in rules())
    filters = set(re.findall(r"(jobs|sends)(\?status=\w+)", links))
    screens = {f"/{screen}" for screen in re.findall(r"/ops/(\w+)(?=\s|$)", links)}
    with page() as admit:
        person = admit(VIEWER)
        for path in ("", *screens, *(f"/{screen}{wanted}" for screen, wanted in filters)):
            assert person.get(f"/ops{path}").status_code == 200, path
    assert filters >= {("jobs", "?status=dead"), ("sends", "?status=unknown")}
    assert screens >= {"/workers", "/failures"}
