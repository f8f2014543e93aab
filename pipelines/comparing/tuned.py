"""What was tuned before architectures were compared, and whether each had the same chance."""

import shlex
from collections.abc import Sequence

from pipelines.comparing.summary import Cells, Row
from pipelines.display.numbers import number
from pipelines.runs.folders import Run
from pipelines.settings.nested import flatten


def facts(rows: Sequence[Row]) -> Cells:
    """What was tried for each architecture, and what was found: a line a row that was tuned, or one for all that were not."""
    if not any(_trials(row) for row in rows):
        return [["tuned", "nothing"]]
    return [[f"tuned, {row.label}", f"{_trials(row)} trials{_values_found(row.runs[0])}"] for row in rows]


def warnings(rows: Sequence[Row]) -> list[str]:
    """Where one architecture was tuned more than another."""
    if len({_trials(row) for row in rows}) < 2:
        return []
    return ["not like for like: " + "; ".join(f"{row.label} was tuned by {_trials(row)} trials" for row in rows)]


def _trials(row: Row) -> int:
    return (row.runs[0].config.get("tuning") or {"trials": 0})["trials"]


def _values_found(run: Run) -> str:
    tuning, values = run.config.get("tuning"), flatten(run.config)
    if not tuning:
        return ""
    shown = {key: number(values[key]) if isinstance(values[key], float) else values[key] for key in tuning["varied"]}
    given = {argument.partition("=")[0].lstrip("+") for argument in shlex.split(run.command)}
    by_hand = {key: " by hand" if key in given else "" for key in shown}
    best = "".join(f"; {key.removeprefix('task.')} {value}{by_hand[key]}" for key, value in shown.items())
    return f", {tuning['pruned']} of them given up early{best}"
