"""A Lightning logger that never makes the training wait for the dashboard, and never dies of it."""

import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers.logger import Logger

Points = list[tuple[str, int, float]]
"""Metric, step, value."""

SECONDS_BETWEEN_BATCHES = 5.0


class RunLogger(Logger):
    """Gathers points and hands them to ``send`` in batches, in order, on one thread of its own.

    A batch that cannot be sent costs a warning: the run's ``curves.csv`` has it too, and publishing sends what is missing.
    """

    def __init__(self, run_id: str, send: Callable[[Points], None]):
        super().__init__()
        self._run_id = run_id
        self._send = send
        self._waiting: Points = []
        self._sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tracking")
        self._last: Future[None] | None = None
        self._sent_at = time.monotonic()
        self._lost = 0

    @property
    def name(self) -> str:
        return "mlflow"

    @property
    def version(self) -> str:
        return self._run_id

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        # "epoch" comes with every call of Lightning's and would be a chart of a straight line.
        self._waiting += [(key, step or 0, float(value)) for key, value in metrics.items() if key != "epoch"]
        if time.monotonic() - self._sent_at > SECONDS_BETWEEN_BATCHES:
            self._dispatch()

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run was started with its whole configuration, which these are part of."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Send what is left and wait for it; how the run ended is the stage's to say."""
        self._dispatch()
        if self._last is not None:
            self._last.result()
        if self._lost:
            advice = "`python -m pipelines.publish` sends them from curves.csv"
            warnings.warn(f"{self._lost} points are not in the dashboard; {advice}", stacklevel=2)

    def _dispatch(self) -> None:
        points, self._waiting = self._waiting, []
        self._sent_at = time.monotonic()
        if points:
            self._last = self._sender.submit(self._deliver, points)

    def _deliver(self, points: Points) -> None:
        try:
            self._send(points)
        except Exception as error:  # whatever a store, a disk or a network may raise: none of it is the training's concern
            if not self._lost:
                warnings.warn(f"the dashboard cannot be reached, training goes on: {error}", stacklevel=2)
            self._lost += len(points)
