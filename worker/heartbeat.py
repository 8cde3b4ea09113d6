"""The heartbeat of a worker's main process: a thread that says every few seconds that it lives, Redis or no Redis."""

import logging
import os
import socket
import threading
from typing import Any, cast

from celery.worker import state
from sqlalchemy.exc import SQLAlchemyError

from worker.identity import version
from worker.store.trouble import reason_of
from worker.store.workers import Sign, say_alive, say_goodbye

BEAT_SECONDS = 10.0

_active = cast("Any", state)
log = logging.getLogger(__name__)


class Heartbeat:
    """Beats from the worker's readiness until its end."""

    def __init__(self, consumer: Any) -> None:
        self._name: str = consumer.hostname
        self._queues = [str(queue) for queue in consumer.app.amqp.queues.consume_from]
        self._slots = int(consumer.controller.concurrency or 1)
        self._has_said_that_it_started = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Beat now, and go on."""
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye, so that nobody misses this worker."""
        self._over.set()
        self._thread.join(timeout=5)
        try:
            say_goodbye(self._name, os.getpid())
        except SQLAlchemyError as error:
            log.warning("cannot say goodbye: %s", reason_of(error))

    def _beat(self) -> None:
        while True:
            try:
                say_alive(self._sign(), started=not self._has_said_that_it_started)
                self._has_said_that_it_started = True
            except SQLAlchemyError as error:
                log.warning("cannot say that this worker lives: %s", reason_of(error))
            if self._over.wait(BEAT_SECONDS):
                return

    def _sign(self) -> Sign:
        busy = len(_active.active_requests)
        return Sign(self._name, self._queues, self._slots, busy, socket.gethostname(), os.getpid(), version())


_heartbeats: list[Heartbeat] = []


def begin(consumer: Any) -> None:
    """Begin to beat for a worker that is ready; after a reconnect it is ready again, and beats already."""
    if not _heartbeats:
        _heartbeats.append(Heartbeat(consumer))
        _heartbeats[0].start()


def end() -> None:
    """Stop beating."""
    while _heartbeats:
        _heartbeats.pop().stop()
