"""Framewise classifiers in the pipeline: classes found beside the right ones, table, confusion, groups of rows apart.

Shapes: T frames, F features, L classes.
"""

from pathlib import Path

import numpy as np

from pipelines.kinds.base import (
    CONFUSION,
    Kind,
    answer_split,
    class_table,
    count_confusion,
    real_rows,
    scores_of,
    target_rows,
)
from pipelines.settings.schema import Experiment
from rnn_lightning import FrameClassifier, PairModule
from rnn_lightning.files import read_json

REPORT, UTTERANCE = "classes.md", "utterance.png"


class FrameKind(Kind[FrameClassifier]):
    """A class for each frame of a signal."""

    predictor = "frames"

    def test(self, experiment: Experiment, system: FrameClassifier, data: PairModule, folder: Path) -> dict[str, float]:
        """Leaves a table of all classes, their confusion and the picture of a row.

        Returns the accuracy of each group of rows, where there are groups.
        """
        from pipelines.kinds.pictures import confusion
        from pipelines.kinds.signal_figures import picture_of, utterance

        found, right, names = classify_frames(system.eval(), data, "test"), target_rows(data, "test"), system.classes
        flat_right, flat_found = ([names[n] for row in rows for n in row] for rows in (right, found))
        counts = count_confusion(flat_right, flat_found, names)
        (folder / REPORT).write_text(class_table(names, scores_of(counts), counts), encoding="utf-8")
        confusion(counts, names, folder / CONFUSION)
        arrays = data.arrays("test")
        start, end = arrays["input_offsets"][:2]
        picture = picture_of(arrays["inputs"][start:end], read_json(experiment.processed() / "card.json"))
        right_names, found_names = ([names[n] for n in rows[0]] for rows in (right, found))
        utterance(picture, right_names, found_names, folder / UTTERANCE)
        return by_group(experiment.processed() / "test.groups.txt", right, found)


def classify_frames(system: FrameClassifier, data: PairModule, split: str) -> list[list[int]]:
    """The classes of the frames of every row of a split, in its order."""
    return answer_split(system, data, split, lambda batch: real_rows(system.classify(batch.inputs, batch.lengths), batch))


def by_group(file: Path, right: list[list[int]], found: list[list[int]]) -> dict[str, float]:
    """The accuracy over the frames of each group of rows that ``file`` names, a line a row; nothing without it."""
    if not file.exists():
        return {}
    groups = file.read_text(encoding="utf-8").split("\n")[:-1]
    hits: dict[str, list[bool]] = {}
    for group, one, other in zip(groups, right, found, strict=True):
        hits.setdefault(group, []).extend(a == b for a, b in zip(one, other, strict=True))
    return {f"test/accuracy_{group.removeprefix('test_')}": float(np.mean(some)) for group, some in sorted(hits.items())}
