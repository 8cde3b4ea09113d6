"""A broker that goes away with a message in hand is an error of the connection to Celery, which it survives."""

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Store
from kombu.transport.redis import Channel

from worker import lost_channels, nudges
from worker.celery import app


@pytest.fixture
def connection(store: Store) -> Iterator[Any]:
    """A connection with a message in hand, left as Celery's consumer leaves it when its server is away."""
    with app.connection_for_read(store.servers.valkey.url) as made:
        nudges.apply("camp_x")
        made.default_channel.basic_consume("enrollment", no_ack=False, callback=lambda _: None, consumer_tag="x")
        made.drain_events(timeout=10)
        made.default_channel._disconnect_pools()
        made.transport.client = None
        yield made


def acknowledge(connection: Any) -> None:
    channel = connection.default_channel
    [tag] = channel.qos._delivered
    channel.basic_ack(tag)


@pytest.mark.parametrize("act", [acknowledge, lambda connection: connection.default_channel.qos.restore_unacked()])
def test_what_is_left_to_do_on_a_closed_connection_fails_as_celery_expects(connection: Any, act: Any) -> None:
    with pytest.raises(connection.connection_errors, match="closed"):
        act(connection)


def test_without_our_change_it_would_end_the_worker(connection: Any) -> None:
    """The broken twin: once kombu has mended it, `worker.lost_channels` can go."""
    with pytest.MonkeyPatch.context() as kombu:
        kombu.setattr(Channel, "_connparams", lost_channels._connparams)
        with pytest.raises(AttributeError):
            acknowledge(connection)
