"""Forecasts that need no network: the last value, the value a season ago, and a linear function of the window.

Shapes: R windows, T steps of context, H steps of horizon, K targets, N steps of a split.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.float64]
Baseline: TypeAlias = Callable[[Numbers], Numbers]
"""Contexts (R, T, K) to forecasts (R, H, K)."""
AT_ONCE = 1024
"""Windows that are in memory together."""
PENALTIES = (0.0, 1.0, 10.0, 100.0, 1000.0, 10000.0)
"""Of the linear forecast; the best on the validation split is taken."""


def last_value(context: Numbers, horizon: int) -> Numbers:
    """The last value of each window, (R, ``horizon``, K)."""
    return np.repeat(context[:, -1:], horizon, axis=1)


def seasonal_naive(context: Numbers, horizon: int, season: int) -> Numbers:
    """The values of the last ``season`` steps again and again, (R, ``horizon``, K)."""
    return context[:, context.shape[1] - season + np.arange(horizon) % season]


class LinearForecast:
    """A linear function of each target's own window, less the window's last value: least squares with a ridge penalty.

    ``weights`` (K, T + 1, H), of which the last row is the constant.
    """

    def __init__(self, weights: Numbers) -> None:
        self.weights = weights

    def __call__(self, context: Numbers) -> Numbers:
        """The forecasts (R, H, K) of contexts (R, T, K)."""
        return np.einsum("rtk,kth->rhk", design(context), self.weights) + context[:, -1:]


def design(context: Numbers) -> Numbers:
    """What a linear forecast multiplies: contexts (R, T, K) less their last value, and a one, (R, T + 1, K)."""
    return np.concatenate([context - context[:, -1:], np.ones_like(context[:, :1])], axis=1)


def fit_linear(train: Numbers, first: int, context: int, horizon: int) -> Callable[[float], LinearForecast]:
    """The linear forecast of least squares over all windows of ``train`` (N, K), as a function of the ridge penalty."""
    targets = train.shape[1]
    squares = np.zeros((targets, context + 1, context + 1))
    products = np.zeros((targets, context + 1, horizon))
    for before, after in windows(train, first, context, horizon):
        inputs = design(before)
        squares += np.einsum("rtk,rsk->kts", inputs, inputs, optimize=True)
        products += np.einsum("rtk,rhk->kth", inputs, after - before[:, -1:], optimize=True)

    def solved(penalty: float) -> LinearForecast:
        ridge = np.diag([*np.full(context, penalty), 0.0])
        pairs = zip(squares, products, strict=True)
        weights = [np.linalg.lstsq(square + ridge, other, rcond=None)[0] for square, other in pairs]
        return LinearForecast(np.array(weights, dtype=np.float64))

    return solved


def windows(values: Numbers, first: int, context: int, horizon: int) -> Iterator[tuple[Numbers, Numbers]]:
    """The contexts (R, T, K) and what follows them (R, H, K), of all windows of ``values`` (N, K) from step ``first`` on."""
    start = max(first, context) - context
    whole = sliding_window_view(values[start:], context + horizon, axis=0).transpose(0, 2, 1)  # (R, T + H, K)
    for row in range(0, len(whole), AT_ONCE):
        some = whole[row : row + AT_ONCE]
        yield some[:, :context], some[:, context:]


def errors(forecast: Baseline, values: Numbers, first: int, context: int, horizon: int) -> dict[str, float]:
    """The mean squared and the mean absolute error of a forecast over all windows of ``values`` (N, K)."""
    squared, absolute, count = 0.0, 0.0, 0
    for before, after in windows(values, first, context, horizon):
        differences = forecast(before) - after
        squared, absolute = squared + np.square(differences).sum(), absolute + np.abs(differences).sum()
        count += differences.size
    return {"mse": float(squared / count), "mae": float(absolute / count)}


def baseline_errors(splits: Mapping[str, tuple[Numbers, int]], *, context: int, horizon: int, season: int) -> dict[str, float]:
    """The errors of the baselines on the test split: ``linear_mse`` and so on.

    Args:
        splits: the standardised targets (N, K) of each split, and the first step that is forecast.
    """
    window = {"context": context, "horizon": horizon}
    solved = fit_linear(*splits["train"], **window)
    best = min(PENALTIES, key=lambda penalty: errors(solved(penalty), *splits["validation"], **window)["mse"])
    baselines: dict[str, Baseline] = {
        "last_value": lambda before: last_value(before, horizon),
        "seasonal_naive": lambda before: seasonal_naive(before, horizon, season),
        "linear": solved(best),
    }
    measured = {name: errors(baseline, *splits["test"], **window) for name, baseline in baselines.items()}
    rounded = {name: {metric: float(f"{value:.9g}") for metric, value in of.items()} for name, of in measured.items()}
    return {f"{name}_{metric}": value for name, of in rounded.items() for metric, value in of.items()}


def seasonal_errors(train: NDArray[np.float32], season: int) -> list[float]:
    """The mean absolute error (K,) of the value a season ago over ``train`` (N, K): what the scaled error is relative to.

    Hyndman and Koehler, "Another look at measures of forecast accuracy", 2006. That of a constant series is given as 1.
    """
    values = train.astype(np.float64)
    error = np.abs(values[season:] - values[:-season]).mean(0)
    return np.where(error > 0, error, 1.0).tolist()
