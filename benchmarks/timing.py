"""Timing of one action by the clock or by the processor time of this process, and of several actions in turn."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

import torch

from rnn_lightning.files import write_json

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


def store(script: str, results: Mapping[str, object]) -> Path:
    """Write ``results`` with the hardware, the threads and the commit that made them to the JSON file beside a ``script``."""
    from pipelines.runs.provenance import commit, hardware

    device, file = "gpu" if torch.cuda.is_available() else "cpu", Path(script).with_suffix(".json")
    write_json(file, {**results, "hardware": hardware(device), "threads": torch.get_num_threads(), "commit": commit()})
    return file


class Spread(NamedTuple):
    """Seconds of one action: the median over all rounds, the least and the most."""

    median: float
    least: float
    most: float


def in_turn(forms: Mapping[str, Callable[[], object]], *, rounds: int = 7, at_least: float = 0.02) -> dict[str, Spread]:
    """The seconds that each of ``forms`` takes, measured in turn (A B A B ...) in one process: all have the same machine.

    A form is repeated within a round until it takes ``at_least`` seconds. With one thread the clock is the processor time of
    this process, which other work on the machine changes little; on a GPU events on its stream are the clock.
    """
    clock = _cuda_seconds if torch.cuda.is_available() else processor_seconds if torch.get_num_threads() == 1 else seconds
    times = {name: max(1, round(at_least / max(_warm(form, clock), 1e-6))) for name, form in forms.items()}
    taken: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name, form in forms.items():
            taken[name].append(clock(partial(_repeat, form, times[name])) / times[name])
    return {name: Spread(median(values), min(values), max(values)) for name, values in taken.items()}


def _warm(form: Callable[[], object], clock: Callable[[Callable[[], object]], float]) -> float:
    form()
    return clock(form)


def _repeat(form: Callable[[], object], times: int) -> None:
    for _ in range(times):
        form()


def _cuda_seconds(action: Callable[[], object]) -> float:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    action()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 1000
