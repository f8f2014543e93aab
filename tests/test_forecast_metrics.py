"""Losses and metrics of forecasts: against formulas, definitions and NumPy."""

from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from corpora import write_series

from rnn_lightning import Forecaster, WindowModule
from rnn_lightning.forecast_metrics import Coverage, MeanAbsoluteScaledError, pinball

QUIET: Any = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
QUANTILES = [0.1, 0.5, 0.9]


def test_the_pinball_loss_is_its_formula_and_least_at_the_quantile() -> None:
    draws = np.random.default_rng(0)
    told, right = draws.normal(size=(7, 3)), draws.normal(size=7)
    expected = [
        quantile * max(y - q, 0) + (1 - quantile) * max(q - y, 0)
        for row, y in zip(told, right, strict=True)
        for q, quantile in zip(row, QUANTILES, strict=True)
    ]
    assert float(pinball(torch.tensor(told), torch.tensor(right), QUANTILES)) == pytest.approx(np.mean(expected))
    many = torch.tensor(draws.normal(size=2001))
    costs = [float(pinball(value.expand(2001, 1), many, [0.9])) for value in many.sort().values]
    assert int(np.argmin(costs)) == 1800


def test_scaled_error_and_coverage_are_their_definitions() -> None:
    draws = np.random.default_rng(0)
    told, right = draws.normal(size=(2, 5, 4, 3))
    metric = MeanAbsoluteScaledError([0.5, 2.0, 1.0])
    for row in range(5):
        metric.update(torch.tensor(told[row : row + 1]), torch.tensor(right[row : row + 1]))
    assert float(metric.compute()) == pytest.approx(np.mean(np.abs(told - right).mean((0, 1)) / [0.5, 2.0, 1.0]), rel=1e-6)
    coverage = Coverage()
    coverage.update(torch.tensor([0.0, 0.0, 2.0]), torch.tensor([1.0, 1.0, 3.0]), torch.tensor([1.0, 1.5, 2.5]))
    assert float(coverage.compute()) == pytest.approx(2 / 3)


def test_its_metrics_are_those_of_numpy(tmp_path: Path) -> None:
    data = WindowModule(write_series(tmp_path), batch_size=7, eval_batch_size=5)
    standardize = {"mean": [1.0, 2.0, 0.0], "std": [2.0, 3.0, 1.0]}
    torch.manual_seed(0)
    more: Any = {"known": 1, "standardize": standardize, "seasonal_errors": [0.5, 2.0], "quantiles": QUANTILES}
    model = Forecaster({"cell": "gru", "hidden_size": 3}, 3, ["a", "b"], 3, **more)
    trainer = lightning.Trainer(**QUIET, accelerator="cpu")
    (metrics,) = trainer.test(model, data, verbose=False)
    batches: Any = trainer.predict(model, data)
    told = torch.cat(batches).numpy()  # (R, H, K, Q)
    right = torch.cat([data.dataset("test")[name].targets for name in data.dataset("test").in_order()]).numpy()
    off = told[..., 1] - right
    standardised = off / [2.0, 3.0]
    assert metrics["test/mse"] == pytest.approx(np.square(standardised).mean(), rel=1e-5)
    assert metrics["test/rmse"] == pytest.approx(np.sqrt(np.square(standardised).mean()), rel=1e-5)
    assert metrics["test/mae"] == pytest.approx(np.abs(standardised).mean(), rel=1e-5)
    assert metrics["test/mase"] == pytest.approx((np.abs(off).mean((0, 1)) / [0.5, 2.0]).mean(), rel=1e-5)
    assert metrics["test/coverage"] == pytest.approx(((told[..., 0] <= right) & (right <= told[..., 2])).mean(), abs=1e-6)
