"""`kill -9` of a whole group of workers, again and again, under load."""

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

from conftest import Store
from redis import Redis
from support.database import sql
from support.doors import send_message
from support.fleet import Workers
from support.ledger_check import assert_store_is_the_rule_applied_to_the_ledger
from support.polling import pause, until
from support.requests import some_leads

from domain.job import IdempotencyKey
from worker.store import campaigns, ledger
from worker.store.tables import Campaign

KILLS = 20


class Pushed:
    """What was sent into a running campaign under which key, and which of it was accepted for certain."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.requests: dict[str, list[Any]] = {}
        self.accepted: set[str] = set()

    def directly(self, leads: list[Any]) -> None:
        key = str(uuid4())
        self.requests[f"user:{key}"] = leads
        ledger.accept(self.campaign.public_id, leads, IdempotencyKey("user", key))
        self.accepted.add(f"user:{key}")

    def as_message(self, leads: list[Any]) -> None:
        self.requests[f"celery:{send_message(self.campaign.public_id, leads)}"] = leads

    def assert_nothing_is_lost_or_miscounted(self) -> None:
        keys = "SELECT key_space || ':' || idempotency_key FROM job WHERE campaign_id = :campaign"
        jobs = {row[0] for row in sql(keys, campaign=self.campaign.number)}
        assert self.accepted <= jobs
        assert_store_is_the_rule_applied_to_the_ledger(self.campaign, {key: self.requests[key] for key in jobs})


def keep_pushing(everywhere: list[Pushed], over: Event) -> None:
    """Upsert through both doors until it is over."""
    chance, number = random.Random(1), 0
    while not over.is_set():
        number += 1
        pushed = chance.choice(everywhere)
        leads = [*some_leads(chance), {"email": f"new{number}@x.test"}, {"email": f"newer{number}@x.test"}]
        chance.choice([pushed.directly, pushed.as_message])(leads)
        pause(0.03)


def no_message_waits(redis: Redis) -> bool:
    # A message that Celery had taken off the list and not yet noted elsewhere dies with its worker: that is why the
    # promise begins with the committed job, and why such messages are not counted here.
    return redis.llen("enrollment") == redis.hlen("unacked") == 0


def steps_and_recipients(outbox: Path) -> Counter[tuple[str, str]]:
    """How often each step went to each lead of each campaign, read from the messages alone."""
    found = Counter[tuple[str, str]]()
    for message in outbox.glob("*.eml"):
        headers = message.read_text().partition("\n\n")[0].splitlines()
        values = dict(line.split(": ", 1) for line in headers if ": " in line)
        found[values["Subject"], values["To"]] += 1
    return found


def started(campaign: Campaign, number: int) -> Pushed:
    """A running campaign whose messages can be told from those of the others."""
    named = "UPDATE campaign SET sequence_steps = replace(sequence_steps::text, 'Step', :name)::jsonb WHERE id = :id"
    sql(named, name=f"Campaign {number} step", id=campaign.number)
    pushed = Pushed(campaign)
    pushed.directly([{"email": "first@x.test"}])
    campaigns.start_campaign(campaign.public_id)
    return pushed


def kill_again_and_again(workers: Workers) -> None:
    chance = random.Random(20)
    for _ in range(KILLS):
        pause(chance.uniform(0, 1.5))
        workers.kill()
        workers.start()


def test_twenty_kills_under_load_lose_nothing_and_send_nothing_twice(
    store: Store, new_campaign: Callable[..., Campaign]
) -> None:
    everywhere = [started(new_campaign(0, 0), number) for number in range(3)]
    over = Event()
    environment = {"ENROLL_SWEEP_SECONDS": "1", "ENROLL_VISIBILITY_TIMEOUT": "5"}
    workers = Workers(store.data_dir, beat=True, app="support.apps.impatient", environment=environment)

    with ThreadPoolExecutor(1) as background, workers:
        pushing = background.submit(keep_pushing, everywhere, over)
        kill_again_and_again(workers)
        over.set()
        pushing.result()
        until(lambda: no_message_waits(store.redis), what="every message's being taken up")
        until(lambda: sql("SELECT count(*) FROM job WHERE status = 'accepted'") == [(0,)], what="empty lanes")
        leads = sql("SELECT count(*) FROM lead")[0][0]
        until(lambda: sql("SELECT count(*) FROM send WHERE status = 'sent'") == [(2 * leads,)], what="all messages")
        until(lambda: sql("SELECT count(*) FROM lead WHERE status <> 'completed'") == [(0,)], what="the sequences' end")

    for pushed in everywhere:
        pushed.assert_nothing_is_lost_or_miscounted()
    assert sql("SELECT count(*) FROM send") == [(2 * leads,)], "nothing is unknown, nothing else is left"
    sent = steps_and_recipients(store.outbox)
    assert len(list(store.outbox.glob("*.eml"))) == 2 * leads
    assert max(sent.values()) == 1, sent.most_common(3)
