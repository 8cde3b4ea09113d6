"""Work that must not hold up the event loop."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do the work in a thread; what it raises is raised here.

    What a thread raises, anyio leaves in a circle with all the frames that it went through, and some of them hold the
    body of a request: 40 of 5 MB that were not JSON made 330 MB of garbage. So nothing is raised there.
    """
    outcome = await run_in_threadpool(_outcome, work, *args, **kwargs)
    try:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
    finally:
        del outcome  # or what is raised would hold the frame that holds it


def _outcome(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Exception:
    try:
        return work(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  # the loop raises it
        return error
