"""`enroll up`: everything on this machine, until Ctrl-C."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

from worker.cli.output import say
from worker.embedded.services import READY_WITHIN, programs, wait_until_workers_answer
from worker.embedded.stack import RunningStack, servers
from worker.embedded.supervisor import Supervisor
from worker.reports.overview import masked
from worker.settings import Settings, settings
from worker.store import schema
from worker.transport import check_mail_settings


def up() -> None:
    """Run everything on this machine until Ctrl-C: servers unless the settings name some, workers, beat.

    What dies is started again. Commands with the same ENROLL_DATA_DIR find the running stack.
    """
    with migrated_servers(settings()) as stack:
        supervisor = Supervisor.of_programs(settings().data_dir, programs(), say)
        threading.Thread(target=_tell_when_ready, args=[stack], daemon=True).start()
        supervisor.run_until_signalled()


@contextmanager
def migrated_servers(chosen: Settings) -> Generator[RunningStack]:
    """Run the servers, with the tables of this version."""
    check_mail_settings(chosen)
    with servers(chosen, say) as stack:
        schema.migrate()
        yield stack


def _tell_when_ready(stack: RunningStack) -> None:
    say(f"PostgreSQL: {masked(stack.database_url)}")
    say(f"Redis:      {masked(stack.redis_url)}")
    say(f"Messages:   {settings().effective_transport_url}")
    say(f"Logs:       {settings().data_dir / 'logs'}")
    if wait_until_workers_answer(READY_WITHIN):
        say("Ready. Next: `enroll campaign create --help`, in another terminal. Ctrl-C stops everything.")
    else:
        say(f"The workers do not answer after {READY_WITHIN:.0f} s: see the logs.")
