"""Tables of what benchmarks have measured: whether the ways of answering agree, and what trained networks remember."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.comparing.summary import NONE, as_markdown
from pipelines.display.numbers import number
from rnn_lightning.files import read_json

LAGS = ("1", "5", "10", "20", "40")
"""Steps back of which a table shows the gradient."""


def measured(root: Path, name: str) -> str:
    """The Markdown table of ``benchmarks/NAME.json`` of the project in ``root``.

    Raises:
        ValueError: for a benchmark that no page shows, or one that has not been run.
    """
    file = root / "benchmarks" / f"{name}.json"
    if name not in TABLES or not file.exists():
        raise ValueError(f"a page shows {name}, which must be one of {', '.join(TABLES)}, measured by benchmarks/{name}.py")
    return as_markdown(TABLES[name](read_json(file)))


def agreement(found: dict[str, Any]) -> list[list[str]]:
    """A line for each run and its options: items, of how many the four answers are equal, and how far numbers are apart."""
    rows = [["task", "kind", "options", "items", "equal in all four", "numbers differ by"]]
    for run in found["runs"].values():
        for row in run["rows"]:
            options = " ".join(f"`{name}={str(value).lower()}`" for name, value in row["options"].items())
            largest = max(row["largest_difference"].values())
            counts = [str(row["items"]), str(row["equal_in_all"])]
            rows.append([run["title"], run["kind"], options or NONE, *counts, f"{largest:.0e}" if largest else "0"])
    return rows


def memory(found: dict[str, Any]) -> list[list[str]]:
    """A line for each run: the gradient at some steps back, how far it reaches, the largest singular value, the gates."""
    gradients = [f"{lag} back" for lag in LAGS]
    rows = [["task", "network", "test loss", "horizon", *gradients, "singular value", "gates closed, open"]]
    for run in found["runs"]:
        reach = str(run["horizon"]) if run["horizon"] < run["steps"] else f"all {run['steps']}"
        gradient = [number(run["gradient"][lag]) for lag in LAGS]
        gates = "; ".join(f"{name} {of['below']:.0%}, {of['above']:.0%}" for name, of in run["gates"].items())
        loss, largest = number(run["metrics"]["test/loss"]), number(run["singular_values"][0])
        rows.append([run["task"], run["rnn"], loss, reach, *gradient, largest, gates or NONE])
    return rows


TABLES: dict[str, Callable[[dict[str, Any]], list[list[str]]]] = {"agreement": agreement, "memory": memory}
