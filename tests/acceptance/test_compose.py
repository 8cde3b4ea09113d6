"""compose.yaml: it is well formed, and each of its commands does outside a container what it is to do inside."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import yaml
from compose_spec import PyCompose
from conftest import Store
from redis import Redis
from support.fleet import ALL_QUEUES
from support.polling import until
from support.prometheus import promtool

from worker.delivering import TURN_SECONDS
from worker.embedded.binaries import valkey_server
from worker.embedded.process import free_port, listens
from worker.settings import Settings

TOP = Path(__file__).parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((TOP / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "enrollment-worker"}


def seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]


def words(command: list[str]) -> list[str]:
    """A command as it is run here, with the programs of this environment."""
    bin_ = Path(sys.executable).parent
    words = [word.replace("$$", "$") for word in command]
    return [str(bin_ / words[0]), *words[1:]] if (bin_ / words[0]).exists() else words


class Place:
    """Servers and ports of the tests, in place of the containers'."""

    def __init__(self, database_url: str, redis_url: str, folder: Path) -> None:
        self.database_url, self.redis_url, self.folder = database_url, redis_url, folder
        self.ports = {"8080": free_port(), "5555": free_port()}
        self.metrics = {name: free_port() for name in OURS}

    def environment(self, name: str) -> dict[str, str]:
        given = {**OURS[name]["environment"]}
        assert {key.removeprefix("ENROLL_").lower() for key in given} <= Settings.model_fields.keys()
        chosen = {
            "ENROLL_DATABASE_URL": self.database_url,
            "ENROLL_REDIS_URL": self.redis_url,
            "ENROLL_DATA_DIR": str(self.folder),
            "ENROLL_TRANSPORT_URL": (self.folder / "outbox").as_uri(),
            "ENROLL_MAIL_FROM": "Campaigns <campaigns@localhost>",
            "ENROLL_API_PORT": str(self.ports["8080"]),
            "ENROLL_METRICS_PORT": str(self.metrics[name]),
            "HOSTNAME": socket.gethostname(),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        return {**os.environ, **{key: str(value) for key, value in given.items()}, **chosen}

    def moved(self, text: str, name: str) -> str:
        for inside, outside in {**self.ports, "9464": self.metrics[name]}.items():
            text = text.replace(f":{inside}", f":{outside}").replace(f"={inside}", f"={outside}")
        return text

    @contextmanager
    def running(self, name: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a service; ask it to stop, which it must do well within its grace period."""
        command = [self.moved(word, name) for word in words(OURS[name]["command"])]
        log = (self.folder / f"{name}.log").open("wb")
        process = subprocess.Popen(
            command, env=self.environment(name), cwd=self.folder, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process
            began = time.monotonic()
            process.terminate()
            process.wait(seconds(OURS[name]["stop_grace_period"]))
            assert time.monotonic() - began < seconds(OURS[name]["stop_grace_period"])
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            log.close()

    def is_healthy(self, name: str) -> bool:
        """Run the health check of a service."""
        kind, *check = OURS[name]["healthcheck"]["test"]
        command = ["sh", "-c", check[0].replace("$$", "$")] if kind == "CMD-SHELL" else words(check)
        done = subprocess.run(
            [self.moved(word, name) for word in command],
            env=self.environment(name),
            cwd=self.folder,
            capture_output=True,
            check=False,
            timeout=60,
        )
        return done.returncode == 0


@pytest.fixture
def place(store: Store, tmp_path: Path) -> Place:
    """An empty database: the tables are `migrate`'s to make."""
    parts = urlsplit(store.database_url)
    with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as administration:
        administration.execute('DROP DATABASE IF EXISTS "compose"')
        administration.execute('CREATE DATABASE "compose"')
    folder = tmp_path / "data"
    folder.mkdir()
    return Place(urlunsplit(parts._replace(path="/compose")), os.environ["ENROLL_REDIS_URL"], folder)


def test_it_is_a_compose_file_and_refers_to_nothing_that_is_not_there() -> None:
    read = PyCompose.from_json(json.dumps(COMPOSE))

    assert set(read.service_names()) == SERVICES.keys()
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= SERVICES.keys(), name
        assert {config["source"] for config in service.get("configs", [])} <= COMPOSE["configs"].keys(), name
        volumes = {volume.partition(":")[0] for volume in service.get("volumes", [])}
        assert volumes <= COMPOSE["volumes"].keys(), name
    assert all((TOP / config["file"]).is_file() for config in COMPOSE["configs"].values() if "file" in config)


def test_a_key_that_compose_does_not_know_is_found() -> None:
    """The broken twin."""
    broken = {**COMPOSE, "services": {**SERVICES, "api": {**SERVICES["api"], "comand": []}}}

    with pytest.raises(ValueError, match="comand"):
        PyCompose.from_json(json.dumps(broken))


def test_only_loopback_can_reach_what_is_published_and_nothing_of_ours_is_root() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    recipe = COMPOSE["x-ours"]["build"]["dockerfile_inline"].splitlines()

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert recipe.index("USER enroll") > next(n for n, line in enumerate(recipe) if "pip install" in line)
    copied = [line.split()[1] for line in recipe if line.startswith("COPY") for _ in (1,)]
    assert all((TOP / source).exists() for source in copied)


def test_the_grace_periods_outlast_the_work_in_hand() -> None:
    for name in ("enrolling", "delivering"):
        assert seconds(OURS[name]["stop_grace_period"]) > 60 + TURN_SECONDS, "no statement takes longer than 60 s"


def test_every_queue_has_a_worker() -> None:
    options = [word for service in OURS.values() for word in service["command"] if word.startswith("--queues=")]
    assert sorted(",".join(o.removeprefix("--queues=") for o in options).split(",")) == sorted(ALL_QUEUES.split(","))


def test_its_services_start_are_healthy_and_stop(place: Place) -> None:
    migrated = subprocess.run(
        words(OURS["migrate"]["command"]), env=place.environment("migrate"), check=False, capture_output=True, text=True
    )
    assert migrated.returncode == 0, migrated.stderr
    with (
        place.running("api"),
        place.running("intake"),
        place.running("enrolling"),
        place.running("delivering"),
        place.running("beat") as beat,
        place.running("flower"),
    ):
        for name in ("api", "intake", "enrolling", "delivering"):
            until(lambda n=name: place.is_healthy(n), within=120, what=f"the health of {name}")
        until(lambda: listens("127.0.0.1", place.ports["5555"]), what="Flower's listening")
        assert beat.poll() is None
        with urllib.request.urlopen(f"http://127.0.0.1:{place.metrics['enrolling']}/metrics", timeout=30) as told:
            assert b'enroll_workers_alive{queue="delivery"}' in told.read()


def test_its_redis_keeps_what_is_queued(tmp_path: Path) -> None:
    command = SERVICES["redis"]["command"]
    port = free_port()
    server = [str(valkey_server()), *command[1:], "--port", str(port), "--dir", str(tmp_path)]
    with subprocess.Popen(server, stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: listens("127.0.0.1", port), what="Redis")
            with Redis(port=port, decode_responses=True) as client:
                assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
                assert client.config_get("appendonly") == {"appendonly": "yes"}
        finally:
            process.terminate()


def test_prometheus_takes_its_configuration_and_scrapes_services_that_are_there(tmp_path: Path) -> None:
    rules = TOP / COMPOSE["configs"]["alerts"]["file"]
    text = COMPOSE["configs"]["prometheus"]["content"].replace("/etc/prometheus/alerts.yml", str(rules))
    (tmp_path / "prometheus.yml").write_text(text)

    checked = subprocess.run(
        [promtool(), "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
    [scraped] = yaml.safe_load(text)["scrape_configs"][0]["dns_sd_configs"]
    assert set(scraped["names"]) <= OURS.keys()
    assert scraped["port"] == OURS["api"]["environment"]["ENROLL_METRICS_PORT"]
