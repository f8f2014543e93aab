"""Write down what decides the stages: ``python -m pipelines.plan code``, ``python -m pipelines.plan settings GRID...``.

DVC asks whether a stage's dependencies have changed. The files that a command imports and the configuration that it composes
are not known to DVC; in ``plan/`` they are files that it can compare.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.runs.code import COMMANDS, code_of, listing
from pipelines.settings.compose import CONF, compose, exit_on_user_error
from pipelines.settings.grids import planned_runs
from rnn_lightning.files import write_json, write_text

PLAN = Path("plan")


def write_code() -> None:
    """``plan/code/STAGE.txt``: the files that each stage's commands import, with their hashes."""
    for stage, modules in COMMANDS.items():
        write_text(PLAN / "code" / f"{stage}.txt", listing(code_of(modules)))


def write_settings(conf: Path, grids: Sequence[str]) -> None:
    """The composed configuration of each corpus, run and report of ``grids``, as files of their own."""
    for report in grids:
        runs = planned_runs(conf, [report])
        for run in runs:
            experiment = compose([f"task={run.task}", f"rnn={run.rnn}", f"trainer={run.trainer}"])
            plain = experiment.plain(0)
            del plain["seed"]
            write_json(PLAN / "corpora" / f"{run.task}.json", plain["task"]["corpus"])
            write_json(PLAN / "runs" / f"{run.key}.json", plain)
        write_json(PLAN / "reports" / f"{report}.json", {"runs": [run._asdict() for run in runs]})


def plan(arguments: Sequence[str]) -> None:
    """Write the code's hashes or the settings of grids.

    Raises:
        ValueError: for another word, a grid that is not there, or a task that does not compose.
    """
    match arguments:
        case ["code"]:
            write_code()
        case ["settings", *grids] if grids:
            write_settings(CONF, grids)
        case _:
            raise ValueError(f"give `code`, or `settings` and the names of grids, not {' '.join(arguments) or 'nothing'}")


if __name__ == "__main__":
    exit_on_user_error(lambda: plan(sys.argv[1:]))
