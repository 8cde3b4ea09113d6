"""What a worker does when it starts and when it is to stop."""

import logging
from typing import Any, cast

from celery import signals
from celery.utils import nodenames
from sqlalchemy.exc import SQLAlchemyError

from worker import garbage, heartbeat
from worker.endpoints import NotRunning
from worker.identity import be_called, process_name
from worker.observability import context, directory, logs, tracing
from worker.patience import stop_waiting
from worker.settings import UnusableSetting, settings
from worker.store import connection, schema
from worker.store.trouble import reason_of
from worker.transport import check_mail_settings

_signals, _nodenames = cast("Any", signals), cast("Any", nodenames)
_served: list[bool] = []
log = logging.getLogger(__name__)


@_signals.setup_logging.connect
def write_the_log_as_everywhere(loglevel: int | str | None = None, logfile: str | None = None, **_: Any) -> None:
    """Let Celery's loggers write in the format of all our programs."""
    level = loglevel if isinstance(loglevel, int) else logging.getLevelNamesMapping().get(loglevel or "", logging.INFO)
    logs.configure(level, _nodenames.node_format(logfile, process_name()) if logfile else None)


@_signals.task_prerun.connect
def begin_to_log_about_it(task_id: str, **_: Any) -> None:
    """Let the lines of a task say which message it is, and nothing of the last."""
    context.begin(task_id)


@_signals.celeryd_init.connect
def refuse_unusable_settings(**_: Any) -> None:
    """End the program with one line where a setting cannot be used."""
    try:
        check_mail_settings(settings())
    except UnusableSetting as error:
        raise SystemExit(str(error)) from None


@_signals.celeryd_init.connect
def refuse_older_tables(**_: Any) -> None:
    """End the program with one line where the tables are too old for it; a PostgreSQL that is away is waited for."""
    try:
        schema.demand_current()
        connection.engine().dispose()  # the children of the pool must not share it
    except (schema.TablesTooOld, NotRunning) as error:
        raise SystemExit(str(error)) from None
    except SQLAlchemyError as error:
        log.warning("cannot look at the tables yet: %s", reason_of(error))


@_signals.celeryd_init.connect
def choose_where_to_count(**_: Any) -> None:
    """Let this process and its children count where /metrics will look, if anybody is to see it."""
    if settings().metrics_port is not None and directory.shared() is None:
        directory.make_own()


@_signals.celeryd_init.connect
def be_called_as_the_worker_is(sender: str, **_: Any) -> None:
    """Let this process and its children go by the worker's name."""
    be_called(sender)


@_signals.celeryd_init.connect
def search_for_garbage_rarely(**_: Any) -> None:
    """Let this process and its children spend their time on leads."""
    garbage.search_rarely()


@_signals.worker_ready.connect
def begin_to_beat(sender: Any, **_: Any) -> None:
    """Say from now on that the worker lives."""
    heartbeat.begin(sender)


@_signals.worker_ready.connect
def serve_metrics(**_: Any) -> None:
    """Serve what the processes of this worker count; after a reconnect it is ready again, and served already."""
    if directory.made_here() and not _served:
        from worker.observability import exposition  # noqa: PLC0415  # not before it is known where to count

        exposition.serve_in_background()
        _served.append(True)


@_signals.worker_shutdown.connect
def say_goodbye(**_: Any) -> None:
    """Let nobody miss a worker that ended as it should."""
    heartbeat.end()
    directory.remove_own()


@_signals.worker_process_shutdown.connect
def send_the_last_spans(**_: Any) -> None:
    """Tell what this process of the pool has traced."""
    tracing.flush()


@_signals.worker_shutting_down.connect
def give_back_what_waits(**_: Any) -> None:
    """Let tasks that wait for a server give their messages back to the queue."""
    stop_waiting()
