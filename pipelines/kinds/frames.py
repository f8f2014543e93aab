"""Classes of a split's frames: found by the model, beside the right ones, class by class, and group of rows by group.

Shapes: T frames, F features, L classes.
"""

from pathlib import Path

import numpy as np

from pipelines.kinds import pictures, signal_figures
from pipelines.kinds.classes import REPORT, class_table, scores_of
from pipelines.kinds.lines import UTTERANCE
from pipelines.kinds.tagging import CONFUSION, count_confusion
from pipelines.settings.schema import Experiment
from rnn_lightning import FrameClassifier
from rnn_lightning.data.pairs import PairModule
from rnn_lightning.files import read_json


def classify_frames(system: FrameClassifier, data: PairModule, split: str) -> list[list[int]]:
    """The classes of the frames of every row of a split, in its order."""
    dataset = data.dataset(split)
    found: list[list[int]] = [[] for _ in dataset.lengths]
    for rows in dataset.in_order():
        batch = system.transfer_batch_to_device(dataset[rows], system.device, 0)
        for row, classes in zip(rows, system.classify(batch.inputs, batch.lengths).tolist(), strict=True):
            found[row] = classes[: dataset.lengths[row]]
    return found


def frames_test(experiment: Experiment, system: FrameClassifier, data: PairModule, folder: Path) -> dict[str, float]:
    """Classify the frames of the test split; leaves in the run's ``folder`` a table of all classes, their confusion and a row.

    Returns the accuracy of each group of rows, where these are told apart.
    """
    found = classify_frames(system.eval(), data, "test")
    arrays = data.arrays("test")
    right = [part.tolist() for part in np.split(arrays["targets"], arrays["target_offsets"][1:-1])]
    names = system.classes
    said = [names[number] for row in found for number in row]
    counts = count_confusion([names[number] for row in right for number in row], said, names)
    (folder / REPORT).write_text(class_table(names, scores_of(counts), counts), encoding="utf-8")
    pictures.confusion(counts, names, folder / CONFUSION)
    start, end = arrays["input_offsets"][:2]
    picture = signal_figures.picture_of(arrays["inputs"][start:end], read_json(experiment.processed() / "card.json"))
    first, said_first = ([names[each] for each in rows[0]] for rows in (right, found))
    signal_figures.utterance(picture, first, said_first, folder / UTTERANCE)
    return by_group(experiment.processed() / "test.groups.txt", right, found)


def by_group(file: Path, right: list[list[int]], found: list[list[int]]) -> dict[str, float]:
    """The accuracy over the frames of each group of rows that ``file`` names, a line a row; nothing without it."""
    if not file.exists():
        return {}
    groups = file.read_text(encoding="utf-8").split("\n")[:-1]
    hits: dict[str, list[bool]] = {}
    for group, one, other in zip(groups, right, found, strict=True):
        hits.setdefault(group, []).extend(a == b for a, b in zip(one, other, strict=True))
    return {f"test/accuracy_{group.removeprefix('test_')}": float(np.mean(some)) for group, some in sorted(hits.items())}
