"""What a program says about itself in its logs: never a lead's values."""

import traceback

from sqlalchemy.exc import DBAPIError

from worker.store.trouble import reason_of


def where_and_what(error: BaseException) -> str:
    """Name an error and the lines that led to it. Its message is left out: it may quote what a lead holds."""
    name = reason_of(error) if isinstance(error, DBAPIError) else type(error).__name__
    return f"{name}\n{''.join(traceback.format_tb(error.__traceback__))}"
