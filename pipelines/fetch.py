"""Stage: bring a task's corpus to ``data/raw/TASK``.

``python -m pipelines.fetch task=dates``; then ``python -m pipelines.preprocess`` with the same settings.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from pipelines.display.progress import Progress
from pipelines.runs.processes import made_alone
from pipelines.settings.compose import run_stage
from pipelines.settings.schema import Experiment


def fetch(experiment: Experiment) -> None:
    """All of the corpus or nothing of it."""
    corpus, work = experiment.task.corpus, f"the fetch of {experiment.task_name}"
    record = (corpus.model_extra or {}).get("record")
    with made_alone(Path(record), work) if record else nullcontext(), made_alone(experiment.raw(), work), waiting(work):
        corpus.build().fetch(experiment.raw())
    print(f"{experiment.raw()} has the data. Next: `python -m pipelines.preprocess` with the same settings")


@contextmanager
def waiting(name: str) -> Iterator[None]:
    """Say of a download how long it takes; on a terminal the Hub's client draws bars of its own."""
    if sys.stderr.isatty():
        yield
        return
    for variable in ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
        os.environ.setdefault(variable, "1")
    over = threading.Event()
    with Progress(name, None, "s so far") as progress:

        def tick() -> None:
            while not over.wait(1.0):
                progress.reach(progress.seconds)

        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


if __name__ == "__main__":
    run_stage(fetch)
