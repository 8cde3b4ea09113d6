"""Where PostgreSQL and Redis are: as the settings name them, or as the running stack of DATA_DIR does."""

from worker.embedded.stack import RunningStack, read_stack
from worker.settings import settings


class NotRunning(Exception):
    """Nothing runs under {data_dir}: start `enroll up`, or set ENROLL_DATABASE_URL and ENROLL_REDIS_URL."""

    def __init__(self) -> None:
        super().__init__((type(self).__doc__ or "").format(data_dir=settings().data_dir))


def database_url() -> str:
    """`postgresql://…`; `NotRunning` when neither a setting nor a running stack gives one."""
    return settings().database_url or _running_stack().database_url


def redis_url() -> str:
    """`redis://…` or `sentinel://…`; `NotRunning` when neither a setting nor a running stack gives one."""
    return settings().redis_url or _running_stack().redis_url


def _running_stack() -> RunningStack:
    stack = read_stack(settings().data_dir)
    if stack is None:
        raise NotRunning
    return stack
