"""Show in the dashboard what is in run folders; what it shows already stays as it is.

A stage that DVC restores from its cache does not run, so it shows nothing: ``python -m pipelines.publish`` does it afterwards.
"""

import sys
from pathlib import Path

from pipelines import tracking
from pipelines.runs.folders import folder_of, read_runs, tell_missing
from pipelines.runs.measured import read_measured
from pipelines.settings.compose import exit_on_user_error, no_arguments
from pipelines.settings.tasks import read_card, task_of_runs
from pipelines.tracking.finished import publish_measured, publish_run


def publish(runs: Path, *, conf: Path, data: Path) -> tuple[int, int]:
    """Deliver what waits, then fill the dashboard from every finished run in ``runs``; returns how many entries and runs.

    Raises:
        ConnectionError: where the dashboard does not answer.
    """
    published, delivered = 0, tracking.deliver_waiting()
    for name in sorted(path.name for path in runs.glob("*") if path.is_dir()):
        card, (finished, missing) = read_card(data, name), read_runs(runs, name)
        tell_missing(missing, "shown")
        task = task_of_runs(conf, name, [run.config for run in finished], card)
        with tracking.held_back():
            for run in finished:
                publish_run(folder_of(runs, name, run.folder_name, run.seed), run, task, card)
                published += 1
            for each in read_measured(runs, name, finished):
                publish_measured(each.folder, folder_of(runs, name, each.run.folder_name, each.run.seed), each.run)
    tracking.deliver_waiting()
    return delivered, published


def main() -> None:
    waited, shown = publish(no_arguments(Path("runs")), conf=Path("conf"), data=Path("data"))
    print(
        f"{waited} entries waited and are delivered; {shown} runs are in the dashboard. Next: `make dashboard`", file=sys.stderr
    )


if __name__ == "__main__":
    exit_on_user_error(main)
