"""`enroll up`: everything on this machine, until Ctrl-C."""

from worker.embedded import forking


def up() -> None:
    """Run everything on this machine until Ctrl-C: servers unless the settings name some, workers, beat, the doors.

    What dies is started again. Commands with the same ENROLL_DATA_DIR find the running stack.
    """
    forking.load_beforehand()
    from worker.cli import stack  # noqa: PLC0415  # loading it takes a second, in which the programs are loaded, too

    stack.run()
