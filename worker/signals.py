"""What a worker does when it starts and when it is to stop."""

from typing import Any, cast

from celery import signals

from worker.patience import stop_waiting
from worker.settings import UnusableSetting, settings
from worker.transport import check_mail_settings

_signals = cast("Any", signals)


@_signals.celeryd_init.connect
def refuse_unusable_settings(**_: Any) -> None:
    """End the program with one line where a setting cannot be used."""
    try:
        check_mail_settings(settings())
    except UnusableSetting as error:
        raise SystemExit(str(error)) from None


@_signals.worker_shutting_down.connect
def give_back_what_waits(**_: Any) -> None:
    """Let tasks that wait for a server give their messages back to the queue."""
    stop_waiting()
