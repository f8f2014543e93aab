"""Where the processes of trials run: on this machine, or on a cluster of machines that Ray holds together.

An engine starts trials and says when one is over; what came of it, the trial leaves in its folder. On a cluster all machines
see the project at one path.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from multiprocessing.connection import wait
from typing import Any, NamedTuple

from pipelines.runs.cluster import join_cluster
from pipelines.settings.places import PROJECT
from pipelines.settings.schema import Trainer
from pipelines.sweeping.trial import TrialSpec, run_trial
from pipelines.tracking.store import SQLITE
from pipelines.training.launching import fork_server

PATIENCE = 30.0
"""Seconds that a trial has for saving itself when the sweep ends before it."""


class Job(NamedTuple):
    """A trial at work: whether it still is, how it ended if it left nothing, and what its engine knows it by."""

    alive: Callable[[], bool]
    reason: Callable[[], str]
    handle: Any


class Engine(ABC):
    """Starts trials, each in a process of its own."""

    @abstractmethod
    def start(self, spec: TrialSpec) -> Job:
        """Begin a trial."""

    @abstractmethod
    def wait(self, jobs: Collection[Job], seconds: float) -> None:
        """Return when one of ``jobs`` is over, or after so many seconds."""

    @abstractmethod
    def end(self, jobs: Collection[Job]) -> None:
        """End ``jobs``, which save themselves first, and whatever the engine holds."""


class Local(Engine):
    """Processes of this machine, forked from a server that has imported all there is to import."""

    def __init__(self) -> None:
        self._context = fork_server("pipelines.sweeping.trial")

    def start(self, spec: TrialSpec) -> Job:
        process = self._context.Process(target=run_trial, args=(spec,), name=f"trial {spec.number}")
        process.start()

        def reason() -> str:
            return f"was killed (exit code {process.exitcode})" if process.exitcode else "stopped, and said why"

        return Job(process.is_alive, reason, process)

    def wait(self, jobs: Collection[Job], seconds: float) -> None:
        wait([job.handle.sentinel for job in jobs], seconds)

    def end(self, jobs: Collection[Job]) -> None:
        for job in jobs:
            job.handle.terminate()
        for job in jobs:
            job.handle.join(PATIENCE)
            job.handle.kill()


class Cluster(Engine):
    """Tasks of Ray: on the cluster that runs here or that ``RAY_ADDRESS`` names, or on this machine as a cluster of one.

    Ray places trials, a device or a share of processors for each, and finds out about lost processes and machines.
    """

    def __init__(self, trainer: Trainer, storage: str) -> None:
        """Join the cluster.

        Raises:
            ValueError: as `join_cluster`, or where several machines are to share a file of SQLite.
        """
        ray = join_cluster()
        hosts = {node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
        databases = [storage, os.environ.get("MLFLOW_TRACKING_URI", SQLITE)]
        if len(hosts) > 1 and any(each.startswith(SQLITE) for each in databases):
            ray.shutdown()
            raise ValueError(
                f"{len(hosts)} machines cannot share a file of SQLite: give storage=postgresql://..., and MLFLOW_TRACKING_URI"
            )
        gpus = int(trainer.accelerator == "gpu")
        self._ray = ray
        self._task = ray.remote(num_cpus=trainer.threads, num_gpus=gpus, max_retries=0, max_calls=1)(_run_there)

    def start(self, spec: TrialSpec) -> Job:
        handle = self._task.remote(str(PROJECT), spec)

        def alive() -> bool:
            return not self._ray.wait([handle], timeout=0)[0]

        def reason() -> str:
            try:
                self._ray.get(handle)
            except self._ray.exceptions.RayError as error:
                return f"was killed ({type(error).__name__})"
            return "left nothing"

        return Job(alive, reason, handle)

    def wait(self, jobs: Collection[Job], seconds: float) -> None:
        self._ray.wait([job.handle for job in jobs], num_returns=1, timeout=seconds)

    def end(self, jobs: Collection[Job]) -> None:
        for job in jobs:
            self._ray.cancel(job.handle)
        if jobs:
            self._ray.wait([job.handle for job in jobs], num_returns=len(jobs), timeout=PATIENCE)
        self._ray.shutdown()


def _run_there(root: str, spec: TrialSpec) -> None:
    """What a process of the cluster does, which may have begun in any folder."""
    os.chdir(root)
    run_trial(spec)


def make_engine(name: str, trainer: Trainer, storage: str) -> Engine:
    """The engine ``name``, ``local`` or ``ray``, for trials on such hardware that report to ``storage``."""
    return Cluster(trainer, storage) if name == "ray" else Local()
