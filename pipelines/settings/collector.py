"""Python's garbage collector: seldom at work while a command imports its modules, as usual once it trains or answers.

Nearly all objects that are made by then are functions, classes and tables of modules, which are no garbage: to look through
them again and again, and once more as Python ends, took a third of the processor time of a short stage.
"""

import atexit
import gc
from contextlib import suppress
from functools import cache
from io import BufferedRandom, BufferedWriter, TextIOWrapper

USUAL = gc.get_threshold()
SELDOM = (50_000, 10, 10)
"""Thresholds of the three generations while modules are imported."""
HOLD_BYTES = {BufferedWriter, BufferedRandom, TextIOWrapper}
"""Files whose last bytes are not on the disk yet."""


@cache
def collect_seldom() -> None:
    """Collect seldom from here on, and not at all as Python ends: what is left then goes with the process."""
    gc.set_threshold(*SELDOM)
    atexit.register(end_without_collection)


@cache
def collect_as_usual() -> None:
    """Collect as usual from here on, but nothing of what there is the first time."""
    gc.freeze()
    gc.set_threshold(*USUAL)


def end_without_collection() -> None:
    """Write what files that nobody has closed still hold, as their collection would, and leave everything as it is."""
    gc.unfreeze()
    for each in gc.get_objects():
        if type(each) in HOLD_BYTES:
            with suppress(OSError, ValueError):  # one that is closed, detached or only read
                each.flush()
    gc.freeze()
