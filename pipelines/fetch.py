"""Stage: bring a task's corpus to ``data/raw/TASK``."""

from pipelines.composition import Experiment, stage


def fetch(experiment: Experiment) -> None:
    """All of the corpus or nothing of it."""
    experiment.task.corpus.build().fetch(experiment.raw())


if __name__ == "__main__":
    stage(fetch)
