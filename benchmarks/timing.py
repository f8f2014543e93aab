"""Timing of one action: by the clock, or by the processor time of this process."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def timed(action: Callable[[], Result], clock: Callable[[], float] = time.perf_counter) -> tuple[Result, float]:
    """The result of ``action``, and the seconds that it takes by ``clock``."""
    start = clock()
    result = action()
    return result, clock() - start


def seconds(action: Callable[[], object]) -> float:
    """The seconds that ``action`` takes by the clock."""
    return timed(action)[1]


def processor_seconds(action: Callable[[], object]) -> float:
    """The processor time in seconds that ``action`` takes: other work on the machine counts little."""
    return timed(action, time.process_time)[1]
