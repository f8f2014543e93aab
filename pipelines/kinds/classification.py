"""Classifiers and regressors of sequences in the pipeline: classes found beside the right ones, table, confusion.

Shapes: L classes.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.kinds.base import CONFUSION, Kind, answer_split, class_table, count_confusion, most_confused, scores_of
from pipelines.settings.schema import Experiment
from rnn_lightning import PairModule, SequenceClassifier
from rnn_lightning.files import read_json
from rnn_lightning.sequences import Batch

CLASSIFIED, REPORT = "classified.txt", "classes.md"
MOST_SHOWN = 30
"""So many classes a picture has room for: where there are more, it shows those of the most errors."""


class ClassificationKind(Kind[SequenceClassifier]):
    """A class for each row, or a real value, of which the loss says all."""

    predictor = "classification"

    def units_in(self, batch: Batch) -> int:
        return len(batch.targets)

    def description(self, experiment: Experiment, card: dict[str, Any]) -> dict[str, Any]:
        has_classes = (experiment.task.model.model_extra or {}).get("num_classes", card.get("num_classes")) is not None
        own = super().description(experiment, card)
        if has_classes:
            return own
        value = (experiment.task.corpus.model_extra or {}).get("value")
        return {**own, "predictor": "regression", **({"value": value} if value is not None else {})}

    def test(self, experiment: Experiment, system: SequenceClassifier, data: PairModule, folder: Path) -> dict[str, float]:
        """Leaves both classes of each row, a table of all and their confusion.

        Returns the mean F1 of the classes and, where one of them is that of what is out of scope, the accuracy within and
        without.
        """
        if system.num_classes is None:
            return {}
        from pipelines.kinds.pictures import confusion

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
        confusion(counts[np.ix_(shown, shown)], [names[number] for number in shown], folder / CONFUSION)
        return {"test/macro_f1": float(scores[:, 2].mean()), **apart(counts, names, card.get("out_of_scope"))}


def classify_split(system: SequenceClassifier, data: PairModule, split: str) -> list[int]:
    """The class of every row of a split, in its order."""
    return answer_split(system, data, split, lambda batch: system.classify(batch.inputs, batch.lengths).tolist())


def apart(counts: np.ndarray, names: list[str], out_of_scope: str | None) -> dict[str, float]:
    """The accuracy within and out of scope, NaN where there are no rows; nothing where no class is ``out_of_scope``."""
    if out_of_scope is None:
        return {}
    outside = np.array([name == out_of_scope for name in names])
    groups = {"in_scope": ~outside, "out_of_scope": outside}
    rows = {name: counts[some].sum() for name, some in groups.items()}
    right = {name: np.diag(counts)[some].sum() for name, some in groups.items()}
    return {f"test/accuracy_{name}": float(right[name] / rows[name]) if rows[name] else math.nan for name in groups}
