"""How a command fails: one line on stderr that says what was wrong and what to do, and exit code 1."""

from psycopg.errors import UndefinedColumn, UndefinedTable
from redis import RedisError
from sqlalchemy.exc import DBAPIError

from domain.errors import Refusal
from worker.embedded.stack import AlreadyRunning, ServerFailed
from worker.endpoints import NotRunning
from worker.settings import UnusableSetting
from worker.store.schema import TablesTooOld
from worker.store.trouble import is_store_trouble, reason_of


class CommandFailed(Exception):
    """The command cannot do what it was asked to. The message is one line."""


def message_of(error: Exception) -> str | None:
    """Say in one line what was wrong and what to do; None for an error that nobody foresaw."""
    match error:
        case CommandFailed() | Refusal() | NotRunning() | AlreadyRunning() | ServerFailed() | UnusableSetting():
            return str(error)
        case TablesTooOld():
            return str(error)
        case BrokenPipeError():
            return None  # whoever reads our output has seen enough: typer ends quietly
        case OSError():
            return f"{error.filename or 'a file'} cannot be used: {error.strerror or error}"
        case _:
            return _message_of_server(error)


def _message_of_server(error: Exception) -> str | None:
    if isinstance(error, DBAPIError) and isinstance(error.orig, UndefinedTable | UndefinedColumn):
        return "the database does not have the tables of this version: run `enroll migrate`"
    if is_store_trouble(error):
        return f"PostgreSQL cannot be used: {reason_of(error)}. Is it running, is ENROLL_DATABASE_URL right?"
    if isinstance(error, RedisError):
        return f"Redis cannot be used: {error}. Is it running, is ENROLL_REDIS_URL right?"
    return None
