"""Stage: bring a task's corpus to ``data/raw/TASK``.

``python -m pipelines.fetch task=dates``; then ``python -m pipelines.preprocess`` with the same settings.
"""

from pipelines.settings.compose import run_stage
from pipelines.settings.schema import Experiment


def fetch(experiment: Experiment) -> None:
    """All of the corpus or nothing of it."""
    experiment.task.corpus.build().fetch(experiment.raw())


if __name__ == "__main__":
    run_stage(fetch)
