"""A Lightning logger that never makes the training wait for the dashboard, and never dies of it."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers.logger import Logger

from pipelines.tracking.recording import log_curves


class RunLogger(Logger):
    """Lightning's logger: each point is written down at once, so that a training that is killed has told all."""

    def __init__(self, run: str):
        super().__init__()
        self._run = run

    @property
    def name(self) -> str:
        return "mlflow"

    @property
    def version(self) -> str:
        return self._run

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        # "epoch" comes with every call of Lightning's and would be a chart of a straight line.
        log_curves(self._run, [(key, step or 0, float(value)) for key, value in metrics.items() if key != "epoch"])

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run was started with its whole configuration, which these are part of."""
