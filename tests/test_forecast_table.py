"""The table of forecasts beside another library says what is stored."""

import json
from pathlib import Path

import pytest

from pipelines.results import read_results

ROOT = Path(__file__).resolve().parents[1]
TASKS = {("one", 24): "etth1_ot_24", ("one", 168): "etth1_ot_168", ("seven", 24): "etth1_24", ("seven", 168): "etth1_168"}
NONE = "\N{EN DASH}"
PEERS = json.loads((ROOT / "benchmarks/forecasts.json").read_text())["runs"]


def table() -> dict[tuple[str, int], list[str]]:
    """The cells of each row behind its series and horizon."""
    section = (ROOT / "docs/results.md").read_text().partition("### Beside another library")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")][2:]
    return {(name.split(",")[0], int(name.split(",")[1])): cells for name, *cells in rows}


def peer(network: str, series: str, horizon: int) -> str:
    found = [
        run["mse"]
        for run in PEERS
        if (run["network"], run["targets"], run["horizon"], run["seed"])
        == (network, {"one": 1, "seven": 7}[series], horizon, 1)
    ]
    return f"{found[0]:.4f}" if found else NONE


@pytest.mark.parametrize("row", TASKS)
def test_a_row_is_what_is_stored(row: tuple[str, int]) -> None:
    runs = [run.metrics for run in read_results(ROOT / "results" / f"{TASKS[row]}.json")]
    assert len(runs) == 6
    worst = max(metrics["test/mse"] for metrics in runs)
    seasonal, linear = runs[0]["test/seasonal_naive_mse"], runs[0]["test/linear_mse"]
    assert table()[row] == [f"{worst:.4f}", peer("LSTM", *row), peer("GRU", *row), f"{seasonal:.4f}", f"{linear:.4f}"]
    best_other = min(seasonal, *(float(peer(network, *row)) for network in ("LSTM", "GRU") if peer(network, *row) != NONE))
    assert worst <= 0.9 * best_other
