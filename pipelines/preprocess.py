"""Stage: turn ``data/raw/TASK`` into arrays, a tokenizer and a card in ``data/processed/TASK``.

``python -m pipelines.preprocess task=dates``, after ``pipelines.fetch``; then ``pipelines.train`` with the same settings.
``workers=4`` reads and encodes rows in so many processes, with ``engine=ray`` on a cluster of machines, to the same bytes.
"""

import os

from pipelines.runs.cards import note_corpus
from pipelines.runs.cluster import ClusterWorkers
from pipelines.runs.done import is_preprocessed, note_preprocessed
from pipelines.runs.processes import made_alone
from pipelines.settings.compose import run_stage
from pipelines.settings.overrides import FOLDER, GROUPS, fetching
from pipelines.settings.schema import Experiment
from rnn_lightning.workers import Workers


def preprocess(experiment: Experiment) -> None:
    """All of the files or none of them, and what they were made with."""
    corpus, processed = experiment.task.corpus.build(), experiment.processed()
    if not experiment.raw().exists():
        raise FileNotFoundError(f"{experiment.raw()} has no data: `{fetching(experiment)}` first")
    if any(word.startswith(("workers=", "engine=")) for word in experiment.command_line):
        corpus.workers = (ClusterWorkers if experiment.engine == "ray" else Workers)(experiment.workers)
        os.environ.setdefault("RAYON_NUM_THREADS", str(experiment.workers))  # with which a vocabulary is learned
    with made_alone(processed, f"the preprocessing of {experiment.task_name}"):
        corpus.preprocess(experiment.raw(), processed)
        note_corpus(experiment)
        note_preprocessed(experiment)


def is_up_to_date(experiment: Experiment) -> bool:
    """Whether all is there already, which it then says; where other settings than the corpus' are given, these are checked."""
    keys = [word.lstrip("+~").partition("=")[0] for word in experiment.command_line]
    neutral = (*GROUPS, FOLDER[:-1], "workers", "engine")
    if not all(key in neutral or key.startswith("task.corpus.") for key in keys) or not is_preprocessed(experiment):
        return False
    print(f"{experiment.processed()} is up to date")
    return True


if __name__ == "__main__":
    run_stage(preprocess, has_nothing_to_do=is_up_to_date, on_clusters=True)
