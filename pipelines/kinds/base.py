"""What a pipeline does for a kind of system besides training and testing it, and what several kinds share for it.

Shapes: L classes.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from lightning.pytorch.callbacks import Callback

from pipelines.display.progress import Progress
from pipelines.settings.schema import Experiment
from rnn_lightning.data.pairs import PairModule
from rnn_lightning.files import write_json, write_sums
from rnn_lightning.predictors import CHECKPOINT, DESCRIPTION
from rnn_lightning.sequences import Batch
from rnn_lightning.systems import System

CONFUSION = "confusion.png"
AnySystem = TypeVar("AnySystem", bound=System)
Answer = TypeVar("Answer")


class Kind(Generic[AnySystem]):
    """A kind of system in the pipeline; a subclass overrides what is particular to it.

    ``predictor`` is the name that the predictor of its runs has in ``rnn_lightning.predictors.PREDICTORS``; ``validated`` are
    the metrics of a validation that its callbacks log, besides those of the system.
    """

    predictor: ClassVar[str]
    validated: ClassVar[tuple[str, ...]] = ()

    def prepare(self, experiment: Experiment, system: AnySystem, data: Any) -> None:
        """Make a new ``system`` ready for its training, and refuse settings that its test would fail by.

        Raises:
            ValueError: as ``check_search``.
        """
        self.check_search(experiment, system, data)

    def check_search(self, experiment: Experiment, system: AnySystem, data: Any) -> None:
        """Refuse a search in the task's metric that the test would fail by.

        Raises:
            ValueError: here, for any.
        """
        if search := experiment.task.metric.search:
            raise ValueError(f"task.metric.search is {search}, but neither translations nor labels of signals are searched for")

    def callbacks(self, experiment: Experiment, data: Any, card: dict[str, Any], work: Path, run_id: str) -> list[Callback]:
        """Callbacks of the training, which goes on in the folder ``work`` and is shown as the run ``run_id``."""
        return []

    def units_in(self, batch: Batch) -> int:
        """How much a batch holds, in the units that speed is counted in: here its real steps."""
        return batch.inputs.shape[0] * batch.inputs.shape[1] if batch.lengths is None else int(batch.lengths.sum())

    def test(self, experiment: Experiment, system: AnySystem, data: Any, folder: Path) -> dict[str, float]:
        """Metrics of the test split besides the system's own; leaves tables and figures in the run's ``folder``."""
        return {}

    def description(self, experiment: Experiment, card: dict[str, Any]) -> dict[str, Any]:
        """What loads the predictor of a run: its name, the ``files`` of the corpus that it reads, and its settings."""
        inputs = experiment.task.corpus.build().inputs()
        files = [inputs["tokenizer"]] if "tokenizer" in inputs else []
        return {"predictor": self.predictor, "files": files, "inputs": inputs}

    def write_predictor(self, experiment: Experiment, card: dict[str, Any], folder: Path) -> None:
        """Complete the run's ``folder``, which has the checkpoint, to one that predictors can be loaded from."""
        description = self.description(experiment, card)
        for name in description["files"]:
            shutil.copy(experiment.processed() / name, folder)
        write_json(folder / DESCRIPTION, description)
        write_sums(folder, [CHECKPOINT, DESCRIPTION, *description["files"]])


def answer_split(system: System, data: PairModule, split: str, answer: Callable[[Batch], Sequence[Answer]]) -> list[Answer]:
    """What ``answer`` says of every row of a split, in its order; the batches are those of the test."""
    dataset, answers = data.dataset(split), dict[int, Answer]()
    with Progress(f"answers of {split}", len(dataset.lengths), "rows") as progress:
        for rows in dataset.in_order():
            batch = system.transfer_batch_to_device(dataset[rows], system.device, 0)
            answers |= zip(rows, answer(batch), strict=True)
            progress.reach(len(answers))
    return [answers[row] for row in range(len(dataset.lengths))]


def real_rows(values: Any, batch: Batch) -> list[list[int]]:
    """The rows of ``values`` (B, T), each without what is behind its length."""
    rows = values.tolist()
    return rows if batch.lengths is None else [row[:length] for row, length in zip(rows, batch.lengths.tolist(), strict=True)]


def target_rows(data: PairModule, split: str) -> list[list[int]]:
    """The targets of every row of a split, where they are sequences."""
    arrays = data.arrays(split)
    return [part.tolist() for part in np.split(arrays["targets"], arrays["target_offsets"][1:-1])]


def count_confusion(right: Sequence[str], found: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """The confusion matrix (L, L): how often each class (row) was taken for each (column)."""
    numbers = {name: number for number, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, ([numbers[name] for name in right], [numbers[name] for name in found]), 1)
    return counts


def most_confused(counts: np.ndarray, most: int) -> list[int]:
    """The classes, in their order: all or, of more than ``most``, those that take part in the most errors."""
    errors = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
    return sorted(np.argsort(-errors, kind="stable")[:most].tolist())


def scores_of(counts: np.ndarray) -> np.ndarray:
    """Precision, recall and F1 (L, 3) of each class, 0 where there is nothing to divide by, from ``counts`` (L, L)."""
    hits = np.diag(counts)
    wholes = np.stack([counts.sum(0), counts.sum(1), (counts.sum(0) + counts.sum(1)) / 2], axis=1)  # (L, 3)
    return np.divide(hits[:, None], wholes, out=np.zeros(wholes.shape), where=wholes > 0)


def class_table(names: Sequence[str], scores: np.ndarray, counts: np.ndarray) -> str:
    """The ``scores`` (L, 3) of the classes as Markdown, the worst first, and their means."""
    rows = [(name, *of_class, int(n)) for name, of_class, n in zip(names, scores, counts.sum(1), strict=True)]
    rows.sort(key=lambda row: row[3])
    rows.append(("mean", *scores.mean(0), int(counts.sum())))
    lines = [f"| {name} | {p:.4f} | {r:.4f} | {f:.4f} | {n} |" for name, p, r, f, n in rows]
    return "\n".join(["| class | precision | recall | F1 | rows |", "|:--|--:|--:|--:|--:|", *lines, ""])
