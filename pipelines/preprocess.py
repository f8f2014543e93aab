"""Stage: turn ``data/raw/TASK`` into arrays, a tokenizer and a card in ``data/processed/TASK``.

``python -m pipelines.preprocess task=dates``, after ``pipelines.fetch``; then ``pipelines.train`` with the same settings.
"""

from pipelines.runs.cards import note_corpus
from pipelines.runs.processes import made_alone
from pipelines.settings.compose import run_stage
from pipelines.settings.schema import Experiment


def preprocess(experiment: Experiment) -> None:
    """All of the files or none of them, and what they were made with."""
    corpus, processed = experiment.task.corpus.build(), experiment.processed()
    with made_alone(processed, f"the preprocessing of {experiment.task_name}"):
        corpus.preprocess(experiment.raw(), processed)
        note_corpus(experiment)


if __name__ == "__main__":
    run_stage(preprocess)
