"""Stage: turn ``data/raw/TASK`` into arrays, a tokenizer and a card in ``data/processed/TASK``."""

from pipelines.cards import note_corpus
from pipelines.composition import Experiment, stage


def preprocess(experiment: Experiment) -> None:
    """All of the files or none of them, and what they were made with."""
    experiment.task.corpus.build().preprocess(experiment.raw(), experiment.processed())
    note_corpus(experiment)


if __name__ == "__main__":
    stage(preprocess)
