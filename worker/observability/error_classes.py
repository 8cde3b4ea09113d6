"""The closed list of what can fail a try, for a label: an error's own name would make a series each."""

from psycopg.errors import QueryCanceled
from sqlalchemy.exc import DBAPIError

from domain.errors import Refusal
from worker.observability.labels import ErrorClass
from worker.store.trouble import is_store_trouble


def class_of(error: BaseException) -> ErrorClass:
    """Tell which of them an error is."""
    if isinstance(error, Refusal):
        return "refused"
    if is_store_trouble(error):
        return "store"
    timed_out = isinstance(error, DBAPIError) and isinstance(error.orig, QueryCanceled)
    return "timeout" if timed_out or isinstance(error, TimeoutError) else "internal"
