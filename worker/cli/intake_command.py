"""`enroll intake`: the reader of the stream."""

import signal
from types import FrameType

from worker.cli.output import say
from worker.embedded.signals import STOPPING
from worker.observability import directory, logs
from worker.patience import stop_waiting


def intake() -> None:
    """Make jobs of the entries of the Redis stream `enrollment:intake`, in their order, until Ctrl-C.

    Any number may run, on any machine: one reads, the others stand by and take over within seconds.
    """
    from worker.intake import read_until  # noqa: PLC0415  # it loads Celery, which most commands have not to
    from worker.observability import exposition  # noqa: PLC0415  # as above

    logs.configure()
    if directory.shared() is None:  # else it counts with others, and one of them serves
        exposition.serve_in_background()
    asked = _asked_to_stop()
    read_until(lambda: bool(asked))
    say("Stopped. What is in the stream stays there.")


def _asked_to_stop() -> list[int]:
    """Note the signals that ask to stop. The first lets the batch in progress end; a second one ends all at once."""
    asked: list[int] = []
    # What is ignored stays so: nohup means it.
    heeded = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]

    def note(number: int, _: FrameType | None) -> None:
        asked.append(number)
        stop_waiting()
        for each in heeded:
            signal.signal(each, signal.SIG_DFL)

    for number in heeded:
        signal.signal(number, note)
    return asked
