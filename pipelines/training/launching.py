"""Processes of trainings: one for every seed, side by side, which stop and save with the command that started them."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from subprocess import Popen
from typing import Any, NamedTuple

import psutil

from pipelines.display.progress import Progress
from pipelines.runs.beginning import STARTER
from pipelines.runs.following import follow, signal_on_death_of_parent
from pipelines.settings.schema import Experiment
from pipelines.tracking.courier import left

FIRST = "pipelines.runs.server"
PRELOADED = ["pipelines.training.run", "rnn_lightning.data"]
OF_TRACKING = ["hydra._internal.hydra", "alembic.command", "mlflow.tracing"]
OF_TRACKING += ["mlflow.store.tracking.sqlalchemy_store", "sqlalchemy.dialects.sqlite"]
"""What costs seconds to import: once for all seeds, in the server that they are forked from."""
LONGEST = 10_000
"""Characters of a reason: what a pipe holds until it is asked, with room to spare."""
STOPPING = (signal.SIGTERM, signal.SIGINT)


class SeedProcess(NamedTuple):
    """The process that trains a seed, and the pipe through which it sends why it failed."""

    seed: int
    process: BaseProcess
    reasons: Connection

    def failure(self) -> list[str]:
        """Why the process, which is over, failed; nothing if it did not."""
        self.process.join()
        try:
            reason = self.reasons.recv()
        except EOFError:
            reason = f"ended with exit code {self.process.exitcode}"
        return [f"seed {self.seed}: {reason}"] if reason else []


def fork_server(*more: str) -> ForkServerContext:
    """The context that starts processes from a fork server, which has imported what they share, and ``more`` modules, once.

    What tells the dashboard is left out where the command that started this one does that.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([FIRST, *more, *PRELOADED, *([] if left() else OF_TRACKING)])
    return context


def train_side_by_side(experiment: Experiment, seeds: list[int]) -> list[str]:
    """Train each seed in a process of its own; returns why some failed.

    Raises:
        SystemExit: after a signal to stop, once all have saved.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(experiment.trainer.threads))
    context = fork_server()
    waiting, failures = list(seeds), []
    running: dict[Any, SeedProcess] = {}
    name = f"{experiment.task_name} {experiment.trained(seeds[0]).parent.name}"
    with Progress(name, len(seeds), "seeds") as progress, on_signal(stop_all):
        while waiting or running:
            progress.reach(len(seeds) - len(waiting) - len(running))
            while waiting and len(running) < experiment.workers:
                reasons, sender = context.Pipe(duplex=False)
                process = context.Process(target=train_in_child, args=(experiment, waiting[0], sender))
                process.start()
                sender.close()
                running[process.sentinel] = SeedProcess(waiting.pop(0), process, reasons)
            for sentinel in wait(list(running)):
                failures += running.pop(sentinel).failure()
    return failures


def stop_all(number: int) -> None:
    """Have the seeds that are trained save and end.

    Raises:
        SystemExit: always.
    """
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join()
    raise SystemExit(128 + number)


@contextmanager
def on_signal(action: Callable[[int], None]) -> Iterator[None]:
    """While inside, ``action`` is what a signal to stop brings about."""
    handlers = {number: signal.signal(number, lambda number, _: action(number)) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def train_by_command(experiment: Experiment, seed: int) -> int:
    """Train one seed by a command of its own, which Lightning repeats for every further process; returns its exit code.

    Raises:
        SystemExit: after a signal to stop.
    """
    received: list[int] = []

    def pass_on(number: int) -> None:
        received.append(number)
        child.send_signal(number)

    command = [sys.executable, "-m", "pipelines.train", *experiment.overrides(seed)]
    environment = os.environ | {STARTER: str(os.getpid())}
    with Popen(command, env=environment) as child, on_signal(pass_on):
        code = child.wait()
    if received or code - 128 in STOPPING:
        raise SystemExit(128 + received[0] if received else code)
    return code


def stop_with_parent() -> None:
    """Save and end this process when the one that asked for it is gone, which also is the one to answer Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        signal_on_death_of_parent()  # of the server that forks, which ends with whom it forks for
        follow(psutil.Process(parent.pid), parent.join)


def train_in_child(experiment: Experiment, seed: int, reasons: Connection) -> None:
    """Train one seed in a process that stops, and saves, with the one that asked for it, and is told why it failed."""
    stop_with_parent()
    reason = ""
    try:
        train_seed(experiment, seed)
    except Exception as error:
        reason = str(error) or type(error).__name__
    reasons.send(reason[:LONGEST])


def train_seed(experiment: Experiment, seed: int) -> None:
    """Train one seed in this process."""
    from pipelines.training.run import train_one

    train_one(experiment, seed)
