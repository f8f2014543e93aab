"""What each of several processes does that begin at once; a module of its own, because each of them imports it."""

import os
from pathlib import Path

from pipelines import tracking


def work(database: str, folder: Path) -> None:
    os.environ["MLFLOW_TRACKING_URI"] = database
    folder.mkdir()
    os.chdir(folder)
    for task in ("one", "two"):
        run_id = tracking.start_run(folder, experiment=task, name=folder.name, config={}, tags={})
        with tracking.recording(run_id):
            tracking.log_curves(run_id, [("train/loss", step, 1 / (step + 1)) for step in range(50)])
