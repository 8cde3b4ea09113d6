"""Python's search for cycles of objects, and how rarely the programs have to do it."""

import gc

# Leads are dictionaries, which the search goes through: every 700 of them by default, and what was loaded at the start
# every so often. It took 2 µs of the 10 that a row takes from JSON to a job's bytes. 500 rows make 1,500 at a time.
# More than these few thousand would leave lying about what an error keeps in a circle: with 50,000, 330 MB of bodies.
_NEW_OBJECTS = 5_000


def search_rarely() -> None:
    """Search less often, and never again through what is loaded now; for programs that run on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)
