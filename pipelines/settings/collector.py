"""Python's garbage collector: seldom at work while a command imports its modules, as usual once it trains or answers.

Nearly all objects that are made by then are functions, classes and tables of modules, which are no garbage: to look through
them again and again, the last time as Python ends, took a large part of the processor time of a short stage.
"""

import gc
import os
from functools import cache

OWN_PACKAGES = "RNN_LIGHTNING_"
"""How the environment variables begin that name packages of a user's own."""
USUAL = gc.get_threshold()
SELDOM = (50_000, 10, 10)
"""Thresholds of the three generations while modules are imported."""


@cache
def collect_seldom() -> None:
    """Collect seldom from here on."""
    gc.set_threshold(*SELDOM)


@cache
def collect_as_usual() -> None:
    """Collect as usual from here on, but nothing of what there is the first time, also not as Python ends.

    Where the environment allows packages of a user's own, all is collected at the end: they may count on it to close files.
    """
    if not any(name.startswith(OWN_PACKAGES) for name in os.environ):
        gc.freeze()
    gc.set_threshold(*USUAL)
