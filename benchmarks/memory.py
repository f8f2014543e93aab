"""What trained networks remember: ``python -m benchmarks.memory run=runs/adding/elman/1 run=...`` keeps what a microscope sees.

It looks at runs as ``rnn microscope`` does, and writes benchmarks/memory.json, of which docs/results.md has a table.
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.timing import store
from pipelines.microscope import look_at, open_run, read_words
from pipelines.runs.folders import read_run
from pipelines.settings.compose import exit_on_user_error

LAGS = (1, 2, 5, 10, 20, 30, 40)
"""Steps back at which the gradient is kept, as a share of its largest norm."""


def kept(folder: Path, seen: dict[str, Any]) -> dict[str, Any]:
    """What is stored of what was ``seen`` of the run in ``folder``."""
    run, norms = read_run(folder), seen.pop("gradient_norms")
    largest = max(norms)
    gradient = {str(lag): norms[lag] / largest for lag in LAGS if lag < len(norms)}
    return {**seen, "gradient": gradient, "metrics": run.metrics, "parameters": run.parameters, "trained_by": run.command}


def main(words: Sequence[str]) -> None:
    look = read_words(words)
    runs = [kept(Path(folder), look_at(open_run(Path(folder)), look)[1]) for folder in look.run]
    for each in runs:
        print(each["run"], each["horizon"], each["singular_values"][0], each["gradient"])
    store(__file__, {"command": shlex.join(["python", "-m", "benchmarks.memory", *words]), "runs": runs})


if __name__ == "__main__":
    exit_on_user_error(lambda: main(sys.argv[1:]))
