"""Python's search for cycles of objects, and how rarely the programs have to do it."""

import gc

# Leads are dictionaries, which the search goes through: every 700 of them by default, and what was loaded at the start
# every so often. It took 2 µs of the 10 that a row takes from JSON to a job's bytes. Hardly any of our objects is part
# of a cycle, and 50,000 of them are a few megabytes.
_NEW_OBJECTS = 50_000


def search_rarely() -> None:
    """Search less often, and never again through what is loaded now; for programs that run on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)
