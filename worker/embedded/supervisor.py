"""The supervisor behind `enroll up`: starts services, starts again what dies, stops all within 10 s."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, Self

from worker.embedded import signals
from worker.embedded.process import Say
from worker.embedded.program import Program, RunningProgram, end_leftovers

__all__ = ["Program", "Service", "Supervisor", "next_delay"]

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0
_LOOK_EVERY = 0.1


class Service(Protocol):
    """What can be supervised. `stop` and `kill` return when it is gone, and are harmless when it is gone already."""

    name: str
    log: Path

    def launch(self) -> None:
        """Start it, without waiting until it is of use."""
        ...

    def is_alive(self) -> bool:
        """Whether it runs."""
        ...

    def wait(self) -> None:
        """Wait until it has ended; no time at all where it does not run."""
        ...

    def stop(self) -> None:
        """Stop it in an orderly way within 7 s, by force if need be."""
        ...

    def kill(self) -> None:
        """End it at once, with all that it started."""
        ...

    def ending(self) -> str:
        """How its last run ended."""
        ...


class Supervisor:
    """Keeps services alive from `start` to `stop`; a context manager too.

    Each is watched by a thread of its own, which sleeps until the service ends: seven that looked ten times a second
    took 0.4 % of a core.
    """

    def __init__(self, services: Sequence[Service], say: Say) -> None:
        self._services = services
        self._say = say
        self._stopping = threading.Event()
        self._launching = threading.Lock()
        self._threads: list[threading.Thread] = []

    @classmethod
    def of_programs(cls, data_dir: Path, programs: Sequence[Program], say: Say) -> Self:
        """Supervise programs; those of a supervisor that was killed in this data directory are killed first."""
        for name in end_leftovers(data_dir):
            say(f"{name} was still running from a start that was killed: killed it")
        return cls([RunningProgram(program, data_dir) for program in programs], say)

    def start(self) -> None:
        """Launch what does not run yet, and watch over it."""
        try:
            for service in self._services:
                if not service.is_alive():
                    service.launch()
                self._run(partial(self._watch, service), service.name)
        except BaseException:
            self.kill()
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all services, side by side; kill them on Ctrl-C meanwhile."""
        self._begin_to_stop()
        try:
            for thread in self._threads:
                thread.join()
        except KeyboardInterrupt:
            self.kill()
            raise

    def kill(self) -> None:
        """End all services at once."""
        self._launch_no_more()
        for service in self._services:
            service.kill()

    def run_until_signalled(self) -> None:
        """Run until Ctrl-C, SIGTERM or SIGHUP, then stop; on a second one kill."""
        with signals.received() as received, self:
            received.get()
            self._begin_to_stop()
            self._say("Stopping; once more to stop at once.")
            while any(thread.is_alive() for thread in self._threads):
                if _arrives(received, within=_LOOK_EVERY):
                    self.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _begin_to_stop(self) -> None:
        self._launch_no_more()
        for service in self._services:
            self._run(service.stop, service.name)

    def _launch_no_more(self) -> None:
        with self._launching:  # what is launched just now is there to be stopped
            self._stopping.set()

    def _run(self, what: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=what, name=name)
        thread.start()
        self._threads.append(thread)

    def _watch(self, service: Service) -> None:
        delay, launched = 0.0, time.monotonic()
        while True:
            service.wait()
            if self._stopping.is_set():
                return
            delay = next_delay(delay, time.monotonic() - launched)
            self._say(f"{service.name} ended ({service.ending()}): started again in {delay:g} s (see {service.log})")
            service.kill()  # its children, if they outlive it
            self._stopping.wait(delay)
            self._launch_unless_stopping(service)
            launched = time.monotonic()

    def _launch_unless_stopping(self, service: Service) -> None:
        with self._launching:
            if self._stopping.is_set():
                return
            try:
                service.launch()
            except Exception as error:  # noqa: BLE001  # whatever it is, it may be over at the next attempt
                self._say(f"{service.name} cannot be started: {error}")


def next_delay(last: float, ran_for: float) -> float:
    """Seconds to wait before the next start: 0.5, doubled up to 30, and 0.5 again after a run of 30."""
    if not last or ran_for >= _LONGEST_DELAY:
        return _FIRST_DELAY
    return min(2 * last, _LONGEST_DELAY)


def _arrives(received: "queue.SimpleQueue[int]", within: float) -> bool:
    try:
        received.get(timeout=within)
    except queue.Empty:
        return False
    return True
