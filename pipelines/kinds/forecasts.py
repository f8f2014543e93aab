"""Forecasters in the pipeline: forecasts without a network beside theirs, a table by horizon, pictures with intervals.

Shapes: T steps of context, H steps of horizon, K targets, Q quantiles.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.kinds.base import Kind
from pipelines.kinds.forecast_figures import Shown, windows_shown
from pipelines.settings.schema import Experiment
from rnn_lightning import Forecaster, WindowModule
from rnn_lightning.files import read_json
from rnn_lightning.quantiles import middle
from rnn_lightning.sequences import Batch

REPORT, PICTURE = "horizons.md", "forecasts.png"
WITHOUT_NETWORK = ("last_value", "seasonal_naive", "linear")
"""The forecasts whose errors the card has among its references."""
MOST_WINDOWS, MOST_LINES = 6, 12


class ForecastKind(Kind[Forecaster]):
    """The next values of series."""

    predictor = "forecasts"

    def units_in(self, batch: Batch) -> int:
        return len(batch.inputs)

    def description(self, experiment: Experiment, card: dict[str, Any]) -> dict[str, Any]:
        """As of every run, and the ``width`` of a step in time, where there are dates."""
        spacing = {"width": card["spacing"]["width"]} if "spacing" in card else {}
        return super().description(experiment, card) | spacing

    def test(self, experiment: Experiment, system: Forecaster, data: WindowModule, folder: Path) -> dict[str, float]:
        """Leaves a table of the errors by step of the horizon, and the picture of some windows.

        Returns the squared errors of the forecasts without a network: ``test/linear_mse`` and so on.
        """
        card = read_json(experiment.processed() / "card.json")
        squared, absolute, inside = errors_by_step(system.eval(), data)
        (folder / REPORT).write_text(horizon_table(squared, absolute, inside, card["references"]), encoding="utf-8")
        windows = [shown(system, data, row, at % len(system.targets)) for at, row in enumerate(chosen_windows(data))]
        windows_shown(windows, folder / PICTURE)
        return {f"test/{name}_mse": float(card["references"][f"{name}_mse"]) for name in WITHOUT_NETWORK}


@torch.no_grad()
def errors_by_step(system: Forecaster, data: WindowModule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean squared and absolute error (H,) of standardised values at each step of the test's windows, and the share (H, Q)
    of values at or below each quantile."""
    dataset, sums, rows = data.dataset("test"), [], 0
    for name in dataset.in_order():
        batch = system.transfer_batch_to_device(dataset[name], system.device, 0)
        right = system.standardised(batch.targets).unsqueeze(3)  # (B, H, K, 1)
        forecast = system(batch.inputs, batch.lengths)[0].reshape(*right.shape[:3], -1)  # (B, H, K, Q)
        off = forecast[..., middle(system.quantiles)].unsqueeze(3) - right
        parts = [off.square(), off.abs(), (right <= forecast).float()]
        sums.append([part.mean(2).double().sum(0).cpu().numpy() for part in parts])
        rows += len(right)
    squared, absolute, below = (np.sum(parts, axis=0) / rows for parts in zip(*sums, strict=True))
    return squared[:, 0], absolute[:, 0], below if system.quantiles else below[:, :0]


def horizon_table(squared: np.ndarray, absolute: np.ndarray, below: np.ndarray, references: dict[str, float]) -> str:
    """The errors (H,) at some steps of the horizon and over all, beside those of forecasts without a network, as Markdown."""
    horizon = len(squared)
    steps = np.unique(np.linspace(1, horizon, min(horizon, MOST_LINES)).round().astype(int))
    lines = [f"| {step} | {squared[step - 1]:.4f} | {absolute[step - 1]:.4f} |" for step in steps]
    lines.append(f"| all | {squared.mean():.4f} | {absolute.mean():.4f} |")
    for name in WITHOUT_NETWORK:
        lines.append(f"| {name.replace('_', ' ')} | {references[f'{name}_mse']:.4f} | {references[f'{name}_mae']:.4f} |")
    if below.shape[1]:
        shares = ", ".join(f"{share:.3f}" for share in below.mean(0))
        lines += ["", f"Share of values at or below each quantile: {shares}."]
    return "\n".join(["| step ahead | squared error | absolute error |", "|:--|--:|--:|", *lines, ""])


def chosen_windows(data: WindowModule) -> list[int]:
    """Windows of the test split, spread over it."""
    count = len(data.dataset("test").origins)
    return np.unique(np.linspace(0, count - 1, min(MOST_WINDOWS, count)).round().astype(int)).tolist()


def shown(system: Forecaster, data: WindowModule, row: int, series: int) -> Shown:
    """A window of the test split as a picture shows it, of the target ``series``."""
    batch = system.transfer_batch_to_device(data.dataset("test")[(row,)], system.device, 0)
    forecast = system.forecast(batch.inputs, batch.lengths).cpu().numpy()[0, :, series].reshape(system.horizon, -1)  # (H, Q)
    context = data.dataset("test").context
    before, after = batch.inputs[0, :context, series].cpu().numpy(), batch.targets[0, :, series].cpu().numpy()
    return Shown(system.targets[series], before, after, forecast, middle(system.quantiles), quantile_names(system.quantiles))


def quantile_names(quantiles: Any) -> str:
    """What the widest interval of ``quantiles`` is called; nothing without one."""
    return "" if quantiles is None or len(quantiles) < 2 else f"quantiles {quantiles[0]:g} to {quantiles[-1]:g}"
