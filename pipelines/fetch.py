"""Stage: bring a task's corpus to ``data/raw/TASK``.

``python -m pipelines.fetch task=dates``; then ``python -m pipelines.preprocess`` with the same settings.
"""

from contextlib import nullcontext
from pathlib import Path

from pipelines.runs.processes import made_alone
from pipelines.settings.compose import run_stage
from pipelines.settings.schema import Experiment


def fetch(experiment: Experiment) -> None:
    """All of the corpus or nothing of it."""
    corpus, work = experiment.task.corpus, f"the fetch of {experiment.task_name}"
    record = (corpus.model_extra or {}).get("record")
    with made_alone(Path(record), work) if record else nullcontext(), made_alone(experiment.raw(), work):
        corpus.build().fetch(experiment.raw())


if __name__ == "__main__":
    run_stage(fetch)
