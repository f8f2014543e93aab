"""Write down what decides the stages: ``python -m pipelines.plan code``, ``python -m pipelines.plan settings FILE``.

DVC asks whether a stage's dependencies have changed. The files that a command imports and the configuration that it composes
are not known to DVC; in ``plan/`` they are files that it can compare.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.runs.code import COMMANDS, code_of, listing
from pipelines.settings.compose import CONF, compose, exit_on_user_error
from pipelines.settings.grids import HUB_FILE, MAIN_FILE, file_of, read_grids
from rnn_lightning.files import write_json, write_text

PLAN = Path("plan")


def write_code() -> None:
    """``plan/code/STAGE.txt``: the files that each stage's commands import, with their hashes."""
    for stage, modules in COMMANDS.items():
        write_text(PLAN / "code" / f"{stage}.txt", listing(code_of(modules)))


def write_settings(conf: Path, file: Path) -> None:
    """The composed configuration of each corpus and run of a file of DVC, and the runs of each report, a file each."""
    for report, runs in read_grids(conf).items():
        if file_of(report) != file:
            continue
        write_json(PLAN / "reports" / f"{report}.json", {"runs": [run._asdict() for run in runs]})
        for run in runs:
            plain = compose([f"task={run.task}", f"rnn={run.rnn}", f"trainer={run.trainer}"]).plain(0)
            del plain["seed"]
            write_json(PLAN / "corpora" / f"{run.task}.json", plain["task"]["corpus"])
            write_json(PLAN / "runs" / f"{run.key}.json", plain)


def plan(arguments: Sequence[str]) -> None:
    """Write the code's hashes or the settings of grids.

    Raises:
        ValueError: for other words, or a task that does not compose.
    """
    match arguments:
        case ["code"]:
            write_code()
        case ["settings", file] if Path(file) in (MAIN_FILE, HUB_FILE):
            write_settings(CONF, Path(file))
        case _:
            said = " ".join(arguments) or "nothing"
            raise ValueError(f"give `code`, `settings {MAIN_FILE}` or `settings {HUB_FILE}`, not {said}")


if __name__ == "__main__":
    exit_on_user_error(lambda: plan(sys.argv[1:]))
