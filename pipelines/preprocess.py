"""Stage: turn ``data/raw/TASK`` into arrays, a tokenizer and a card in ``data/processed/TASK``.

``python -m pipelines.preprocess task=dates``, after ``pipelines.fetch``; then ``pipelines.train`` with the same settings.
``workers=4`` reads and encodes rows in so many processes, with ``engine=ray`` on a cluster of machines, to the same bytes.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pipelines.display.progress import Progress
from pipelines.runs.cards import card_of, note_corpus
from pipelines.runs.cluster import ClusterWorkers
from pipelines.runs.done import is_preprocessed, note_preprocessed
from pipelines.runs.processes import made_alone
from pipelines.settings.compose import run_stage
from pipelines.settings.overrides import FOLDER, GROUPS, fetching
from pipelines.settings.schema import Experiment
from rnn_lightning.files import read_json
from rnn_lightning.workers import Workers

SIZES = ("rows", "tokens", "windows")
"""Of the sizes of a split on a card, those that are said, the first that it has."""


class CountedWorkers(Workers):
    """Workers that show how many rows they have worked on; of ``rows`` in all, which are gone through once or more often."""

    def __init__(self, workers: Workers, progress: Progress, rows: int) -> None:
        super().__init__(workers.count)
        self._workers, self._progress, self._rows = workers, progress, rows
        self._done = 0

    def map(
        self, work: Callable[[list[Any]], Any], rows: Iterable[Any], at_once: int | None = None
    ) -> Iterator[tuple[list[Any], Any]]:
        for part, result in self._workers.map(work, rows, at_once):
            self._done += len(part)
            self._progress.total = self._rows * math.ceil(self._done / self._rows) if self._rows else None
            self._progress.reach(self._done)
            yield part, result


def preprocess(experiment: Experiment) -> None:
    """All of the files or none of them, and what they were made with."""
    corpus, processed = experiment.task.corpus.build(), experiment.processed()
    if not experiment.raw().exists():
        raise FileNotFoundError(f"{experiment.raw()} has no data: `{fetching(experiment)}` first")
    if any(word.startswith(("workers=", "engine=")) for word in experiment.command_line):
        corpus.workers = (ClusterWorkers if experiment.engine == "ray" else Workers)(experiment.workers)
        os.environ.setdefault("RAYON_NUM_THREADS", str(experiment.workers))  # with which a vocabulary is learned
    name = f"the preprocessing of {experiment.task_name}"
    with made_alone(processed, name), Progress(name, None, "rows") as progress:
        corpus.workers = CountedWorkers(corpus.workers, progress, rows_of(experiment))
        corpus.preprocess(experiment.raw(), processed)
        note_corpus(experiment)
        note_preprocessed(experiment)
    print(said_of_preprocessed(experiment))


def rows_of(experiment: Experiment) -> int:
    """The rows of the raw data, as far as they say; else 0. What is wrong with them, the corpus says."""
    try:
        return sum(map(int, read_json(experiment.raw() / "source.json")["rows"].values()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return 0


def said_of_preprocessed(experiment: Experiment) -> str:
    """What is said of a corpus that is done: how large its splits are, and what comes next."""
    splits = card_of(experiment)["splits"].items()
    said = [f"{split} {sizes[size]:,} {size}" for split, sizes in splits for size in SIZES if size in sizes]
    return f"{experiment.processed()}: {', '.join(said)}. Next: `python -m pipelines.train` with the same settings"


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
