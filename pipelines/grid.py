"""Write the grids of ``conf/grid.yaml`` into the files of DVC: ``python -m pipelines.grid``.

DVC's ``foreach`` reads flat lists and dictionaries, and shows every value of a file that it reads them from as a parameter;
so they stand in a block of ``dvc.yaml`` and of ``hub/dvc.yaml``, which this command renews and a test compares.
"""

import json
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from pipelines.settings.compose import CONF, exit_on_user_error, no_arguments
from pipelines.settings.grids import HUB_FILE, MAIN_FILE, PlannedRun, file_of, planned_files, read_grids
from pipelines.settings.tasks import read_task
from rnn_lightning.files import write_text

BLOCK = re.compile(r"(?<=# begin: written by python -m pipelines.grid\n).*?(?=# end\n)", re.DOTALL)


def block(runs: Sequence[PlannedRun], conf: Path, *, plots: bool) -> str:
    """The runs as DVC reads them: ``vars`` for its ``foreach``, the files of the stage ``settings``, and the plots."""
    tasks, reports = (list(dict.fromkeys(names)) for names in ([run.task for run in runs], [run.report for run in runs]))
    lines = ["vars:", f"  - tasks: {_flow(tasks)}", f"  - reports: {_flow(reports)}"]
    lines += ["  - runs:", *(f"      {run.key}: {_flow(run._asdict())}" for run in runs)]
    lines += textwrap.wrap(
        f"  - planned: &planned {_flow(planned_files(runs))}", 120, subsequent_indent=" " * 6, break_on_hyphens=False
    )
    return "\n".join([*lines, *(_plots(runs, tasks, conf) if plots else [])]) + "\n"


def _plots(runs: Sequence[PlannedRun], tasks: Sequence[str], conf: Path) -> list[str]:
    lines = ["plots:"]
    for task in tasks:
        columns = [run.rnn for run in runs if run.task == task]
        (report,) = {run.report for run in runs if run.task == task}
        settings = {"x": "step", "y": {f"reports/curves/{report}/{task}.csv": columns}}
        lines.append(f"  - {task}: {_flow(settings | {'y_label': read_task(conf, task).metric.monitor})}")
    return lines


def _flow(value: object) -> str:
    """YAML in one line, without quotes where names need none."""
    return re.sub(r'"([\w./-]+)"', r"\1", json.dumps(value))


def renewed(root: Path) -> dict[Path, str]:
    """The text that each file of DVC should have."""
    grids = read_grids(root / "conf")
    texts = {}
    for file in (MAIN_FILE, HUB_FILE):
        runs = [run for report, some in grids.items() if file_of(report) == file for run in some]
        text = (root / file).read_text(encoding="utf-8")
        if len(BLOCK.findall(text)) != 1:
            raise ValueError(f"{file} must have one block between `# begin: written by python -m pipelines.grid` and `# end`")
        made = block(runs, root / "conf", plots=file == MAIN_FILE)
        texts[file] = BLOCK.sub(lambda _, made=made: made, text)
    return texts


def grid(root: Path) -> None:
    """Renew those files of DVC that are not as ``conf/grid.yaml`` says.

    Raises:
        ValueError: where the folder has none.
    """
    if missing := [file for file in (MAIN_FILE, HUB_FILE) if not (root / file).is_file()]:
        raise ValueError(f"there is no {root / missing[0]}: DVC makes its stages in a clone of the repository")
    for file, text in renewed(root).items():
        if (root / file).read_text(encoding="utf-8") != text:
            write_text(root / file, text)
            print(f"{file} has the grids of conf/grid.yaml now", file=sys.stderr)


if __name__ == "__main__":
    exit_on_user_error(lambda: grid(no_arguments(CONF.parent)))
