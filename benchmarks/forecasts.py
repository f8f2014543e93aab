"""The recurrent forecasters of neuralforecast on the data and the windows of a task, in so many seconds of training each.

It needs no rnn-lightning, and an environment of its own:
``pip install neuralforecast==3.3.0``, then ``python benchmarks/forecasts.py data/raw/etth1_24 --horizon 24 --seconds 120``.
``forecasts.json`` holds what it measured: the errors of values that are standardised by the training part, over all windows of
the test part. All settings but those below are neuralforecast's own.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

TRAIN, PART, CONTEXT = 8640, 2880, 336
"""Rows of the training part, of the validation and of the test part; steps that are read."""


def table(raw: Path, targets: list[str]) -> Any:
    """The standardised series, one below the other, as neuralforecast reads them."""
    import pandas

    rows = pandas.read_parquet(raw / "train.parquet").iloc[: TRAIN + 2 * PART]
    values = rows[targets]
    values = ((values - values.iloc[:TRAIN].mean()) / values.iloc[:TRAIN].std(ddof=0)).astype(np.float32)
    dates = pandas.to_datetime(rows["date"])
    parts = [pandas.DataFrame({"unique_id": name, "ds": dates, "y": values[name]}) for name in targets]
    return pandas.concat(parts, ignore_index=True)


def measured(series: Any, network: str, *, horizon: int, seconds: float, seed: int) -> dict[str, float]:
    """The errors of one training over all windows of the test part."""
    from neuralforecast import NeuralForecast, models  # pyright: ignore[reportMissingImports]

    trainer = {"max_time": {"seconds": seconds}, "accelerator": "cpu", "logger": False, "enable_progress_bar": False}
    settings = {"h": horizon, "input_size": CONTEXT, "max_steps": 100_000, "val_check_steps": 50, "random_seed": seed}
    model = getattr(models, network)(**settings, **trainer)
    forecasts = NeuralForecast(models=[model], freq="h").cross_validation(
        series, val_size=PART, test_size=PART, n_windows=None, step_size=1
    )
    off = (forecasts[network] - forecasts["y"]).to_numpy(dtype=np.float64)
    return {"mse": round(float(np.square(off).mean()), 5), "mae": round(float(np.abs(off).mean()), 5)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raw", type=Path, help="the folder of the task's raw data")
    parser.add_argument("--targets", nargs="+", default=["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"])
    parser.add_argument("--horizon", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    asked = parser.parse_args()
    series = table(asked.raw, asked.targets)
    for seed in asked.seeds:
        for network in ("LSTM", "GRU"):
            errors = measured(series, network, horizon=asked.horizon, seconds=asked.seconds, seed=seed)
            about = {"network": network, "targets": len(asked.targets), "horizon": asked.horizon, "seconds": asked.seconds}
            print(json.dumps({**about, "seed": seed, **errors}), flush=True)


if __name__ == "__main__":
    main()
