"""Our own programs, forked from one process that has loaded what they share.

Loading Celery, SQLAlchemy and FastAPI takes each program 0.7 to 2.2 s of a processor, and `enroll up` starts five at
once. Here it is loaded once, while PostgreSQL makes its first database, and its memory is shared by all.
"""

import atexit
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any, BinaryIO, cast

from worker.embedded.child import Child

_context = get_context("forkserver")
_PYTHON_MODULE = [sys.executable, "-m"]


def load_beforehand() -> None:
    """Start the process that programs are forked from; it loads what they need, and nobody waits for it."""
    _context.set_forkserver_preload(["worker.embedded.preloaded"])
    forkserver.ensure_running()


def fork(name: str, command: Sequence[str], environment: Mapping[str, str], log: BinaryIO) -> Child:
    """Run `python -m MODULE …` as `child.launch` does, only sooner; `top` shows it under its name."""
    if list(command[:2]) != _PYTHON_MODULE:
        raise ValueError(f"{command[0]} {command[1]} cannot be forked: only modules of {sys.executable} can")
    what = (list(command[2:]), dict(environment), DupFd(log.fileno()))
    process = _context.Process(name=name, target=_become, args=(name, *what))
    process.start()
    return _Forked(process)


class _Forked:
    def __init__(self, process: ForkServerProcess) -> None:
        self.pid = process.pid or 0
        self.wait = process.join
        self.terminate = process.terminate
        self.kill = process.kill
        self._process = process

    def exit_code(self) -> int | None:
        return self._process.exitcode


def _become(name: str, module_and_arguments: list[str], environment: dict[str, str], log: Any) -> None:
    """Be in the forked process what a new process would be."""
    os.setsid()
    with suppress(OSError):  # on Linux only
        Path("/proc/self/comm").write_text(name)
    output = log.detach()
    for descriptor in (sys.__stdout__, sys.__stderr__):
        os.dup2(output, cast("Any", descriptor).fileno())
    os.close(output)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = module_and_arguments
    # Before Python 3.14 a process of multiprocessing leaves them out.
    run_exit_handlers = cast("Any", atexit)._run_exitfuncs  # noqa: SLF001  # there is no public way
    try:
        runpy.run_module(module_and_arguments[0], run_name="__main__", alter_sys=True)
    finally:
        run_exit_handlers()
