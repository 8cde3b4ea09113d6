"""What a program says about itself in its logs: never a lead's values."""

import traceback

from sqlalchemy.exc import DBAPIError


def where_and_what(error: BaseException) -> str:
    """Name an error and the lines that led to it. Its message is left out: it may quote what a lead holds."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    state = getattr(cause, "sqlstate", None)
    name = f"{type(cause).__name__} ({state})" if state else type(cause).__name__
    return f"{name}\n{''.join(traceback.format_tb(error.__traceback__))}"
