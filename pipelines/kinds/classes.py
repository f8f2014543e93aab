"""Classes of a split's rows: found by the model, beside the right ones, class by class, and which are taken for which."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.kinds import pictures
from pipelines.kinds.lines import CLASSIFIED
from pipelines.kinds.tagging import CONFUSION, count_confusion
from pipelines.settings.schema import Experiment
from rnn_lightning.data.pairs import PairModule
from rnn_lightning.files import read_json
from rnn_lightning.systems.sequence_classifier import SequenceClassifier

REPORT = "classes.md"
MOST_SHOWN = 30
"""So many classes a picture has room for: where there are more, it shows those of the most errors."""


def classify_split(system: SequenceClassifier, data: PairModule, split: str) -> list[int]:
    """The class of every row of a split, in its order."""
    dataset = data.dataset(split)
    found = [0] * len(dataset.lengths)
    for rows in dataset.in_order():
        batch = system.transfer_batch_to_device(dataset[rows], system.device, 0)
        for row, number in zip(rows, system.classify(batch.inputs, batch.lengths).tolist(), strict=True):
            found[row] = number
    return found


def classify_test(experiment: Experiment, system: SequenceClassifier, data: PairModule, folder: Path) -> dict[str, float]:
    """Classify the test split; leaves in the run's ``folder`` both classes of each row, a table of all and their confusion.

    Returns the mean F1 of the classes and, where one of them is that of what is out of scope, the accuracy within and
    without.
    """
    card = read_json(experiment.processed() / "card.json")
    names = card["classes"]
    right = [names[number] for number in data.arrays("test")["targets"]]
    found = [names[number] for number in classify_split(system.eval(), data, "test")]
    lines = (f"{one}\t{other}\n" for one, other in zip(right, found, strict=True))
    (folder / CLASSIFIED).write_text("".join(lines), encoding="utf-8")
    counts = count_confusion(right, found, names)
    scores = scores_of(counts)
    (folder / REPORT).write_text(class_table(names, scores, counts), encoding="utf-8")
    shown = most_confused(counts, MOST_SHOWN)
    pictures.confusion(counts[np.ix_(shown, shown)], [names[number] for number in shown], folder / CONFUSION)
    return {"test/macro_f1": float(scores[:, 2].mean()), **apart(counts, names, card.get("out_of_scope"))}


def scores_of(counts: np.ndarray) -> np.ndarray:
    """Precision, recall and F1 (L, 3) of each class, 0 where there is nothing to divide by, from ``counts`` (L, L)."""
    hits = np.diag(counts)
    wholes = np.stack([counts.sum(0), counts.sum(1), (counts.sum(0) + counts.sum(1)) / 2], axis=1)  # (L, 3)
    return np.divide(hits[:, None], wholes, out=np.zeros(wholes.shape), where=wholes > 0)


def class_table(names: Sequence[str], scores: np.ndarray, counts: np.ndarray) -> str:
    """The ``scores`` (L, 3) of the classes as Markdown, the worst first, and their means."""
    rows = [(name, *each, int(n)) for name, each, n in zip(names, scores, counts.sum(1), strict=True)]
    rows.sort(key=lambda row: row[3])
    told = [*rows, ("mean", *scores.mean(0), int(counts.sum()))]
    lines = [f"| {name} | {p:.4f} | {r:.4f} | {f:.4f} | {n} |" for name, p, r, f, n in told]
    return "\n".join(["| class | precision | recall | F1 | rows |", "|:--|--:|--:|--:|--:|", *lines, ""])


def most_confused(counts: np.ndarray, most: int) -> list[int]:
    """The classes, in their order: all or, of more than ``most``, those that take part in the most errors."""
    errors = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
    return sorted(np.argsort(-errors, kind="stable")[:most].tolist())


def apart(counts: np.ndarray, names: Sequence[str], out_of_scope: str | None) -> dict[str, float]:
    """The accuracy within and out of scope; nothing where no class is ``out_of_scope``."""
    if out_of_scope is None:
        return {}
    outside = np.array([name == out_of_scope for name in names])
    groups = {"in_scope": ~outside, "out_of_scope": outside}
    return {f"test/accuracy_{name}": float(np.diag(counts)[some].sum() / counts[some].sum()) for name, some in groups.items()}
