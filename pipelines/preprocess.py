"""Stage: turn ``data/raw/TASK`` into arrays, a tokenizer and a card in ``data/processed/TASK``."""

from pipelines.composition import Experiment, stage


def preprocess(experiment: Experiment) -> None:
    """All of the files or none of them."""
    experiment.task.corpus.build().preprocess(experiment.raw(), experiment.processed())


if __name__ == "__main__":
    stage(preprocess)
