"""What was tuned before architectures were compared, and whether each had the same chance."""

from collections.abc import Sequence

from pipelines.runs import Run, flatten
from pipelines.summary import Cells, Row, number


def facts(rows: Sequence[Row]) -> Cells:
    """What was tried for each architecture, and what was found: a line a row that was tuned, or one for all that were not."""
    if not any(_tuning(row) for row in rows):
        return [["tuned", "nothing"]]
    return [[f"tuned, {row.label}", f"{_budget(row)}{_found(row.runs[0])}"] for row in rows]


def warnings(rows: Sequence[Row]) -> list[str]:
    """Where one architecture was tuned more than another."""
    budgets = {_budget(row).partition(",")[0] for row in rows}
    if len(budgets) < 2:
        return []
    return ["not like for like: " + "; ".join(f"{row.label} was tuned by {_budget(row)}" for row in rows)]


def _tuning(row: Row) -> dict[str, object]:
    return row.runs[0].config.get("tuning") or {}


def _budget(row: Row) -> str:
    told = _tuning(row)
    return f"{told['trials']} trials, {told['pruned']} of them given up early" if told else "no trials"


def _found(run: Run) -> str:
    told = run.config.get("tuning") or {"varied": []}
    values = flatten(run.config)
    shown = {key: number(values[key]) if isinstance(values[key], float) else values[key] for key in told["varied"]}
    return "".join(f"; {key.removeprefix('task.')} {value}" for key, value in shown.items())
