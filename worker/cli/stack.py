"""The servers and programs of a stack on this machine, and what the user is told of them."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime

from domain.api_key import DEFAULT_SCOPES
from worker.cli.output import say
from worker.embedded import forking
from worker.embedded.process import can_listen, listens, wait_until
from worker.embedded.services import READY_WITHIN, counting_in, doors, wait_until_workers_are_ready, workers
from worker.embedded.stack import RunningStack, servers
from worker.embedded.supervisor import Supervisor
from worker.reports.overview import masked
from worker.settings import Settings, UnusableSetting, settings
from worker.store import schema
from worker.store.api_keys import create_key, has_keys
from worker.store.workers import clock
from worker.store.workspaces import DEFAULT_WORKSPACE
from worker.transport import check_mail_settings


def run() -> None:
    """Run all of it, and start again what dies, until Ctrl-C."""
    with migrated_servers(settings()) as stack:
        programs = counting_in(settings().data_dir / "metrics", [*workers(), *doors()])
        supervisor = Supervisor.of_programs(settings().data_dir, programs, say)
        _check_port(settings())
        threading.Thread(target=_tell_when_ready, args=[stack, clock()], daemon=True).start()
        supervisor.run_until_signalled()


@contextmanager
def migrated_servers(chosen: Settings) -> Generator[RunningStack]:
    """Run the servers, with the tables of this version."""
    check_mail_settings(chosen)
    forking.load_beforehand()
    threading.Thread(target=schema.load, daemon=True).start()
    with servers(chosen, say) as stack:
        schema.migrate()
        yield stack


def _check_port(chosen: Settings) -> None:
    # For a moment, because the last thread of an API that was just killed closes its socket after the process is gone.
    if not wait_until(lambda: can_listen(chosen.api_host, chosen.api_port), within=2):
        where = f"{chosen.api_host}:{chosen.api_port}"
        raise UnusableSetting(f"ENROLL_API_PORT cannot be used: nobody can listen on {where} now, choose another")


def _tell_when_ready(stack: RunningStack, since: datetime) -> None:
    say(f"PostgreSQL: {masked(stack.database_url)}")
    say(f"Redis:      {masked(stack.redis_url)}")
    say(f"Messages:   {settings().effective_transport_url}")
    say(f"Logs:       {settings().data_dir / 'logs'}")
    say(f"API:        http://{settings().api_host}:{settings().api_port}/docs")
    _tell_first_key()
    if wait_until_workers_are_ready(since, READY_WITHIN) and wait_until(_api_listens, READY_WITHIN):
        say("Ready. Next: `enroll campaign create --help`, in another terminal. Ctrl-C stops everything.")
    else:
        say(f"Not everything answers after {READY_WITHIN:.0f} s: see the logs.")


def _tell_first_key() -> None:
    """Make a key where there has been none, and show it: the only time that anybody can see it."""
    if not has_keys(DEFAULT_WORKSPACE):
        made = create_key(DEFAULT_WORKSPACE, "enroll up", DEFAULT_SCOPES)
        say(f"API key:    {made.token} (shown this once: keep it)")


def _api_listens() -> bool:
    return listens(settings().api_host, settings().api_port)
