"""Labels of a split's signals: found by the model, beside the right ones, by the best path or by a search over prefixes.

Shapes: T steps, C labels, U labels of a target.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchmetrics.functional.text import char_error_rate

from pipelines import figures
from pipelines.composition import Experiment
from pipelines.lines import RECOGNIZED
from rnn_lightning import CTCRecognizer, Fusion, NGram
from rnn_lightning.data.pairs import PairModule
from rnn_lightning.systems.ctc_recognizer import UNITS

ALIGNMENT = "alignment.png"


def recognize_split(system: CTCRecognizer, data: PairModule, split: str, **search: Any) -> list[list[int]]:
    """The labels of every row of a split, in its order; ``search`` are keywords of ``recognize``."""
    dataset = data.dataset(split)
    found: list[list[int]] = [[] for _ in dataset.lengths]
    for rows in dataset.in_order():
        batch = system.transfer_batch_to_device(dataset[rows], system.device, 0)
        best = system.recognize(batch.inputs, batch.lengths, **search)
        for row, labels in zip(rows, system.sequences(best.labels[:, 0], best.lengths[:, 0]), strict=True):
            found[row] = labels
    return found


def recognize_test(experiment: Experiment, system: CTCRecognizer, data: PairModule, folder: Path) -> dict[str, float]:
    """Recognise the test split; leaves in the run's ``folder`` what was found beside what is right, and the picture of a row.

    Where the task's metric has a search, what is found is its, and its rate of errors is returned beside that of the best path.
    """
    system.eval()
    told = experiment.task.metric.search
    found = recognize_split(system, data, "test", **search_of(told, system, data))
    right = targets_of(data, "test")
    lines = (f"{system.text(one)}\t{system.text(other)}\n" for one, other in zip(found, right, strict=True))
    (folder / RECOGNIZED).write_text("".join(lines), encoding="utf-8")
    draw_alignment(system, data, folder / ALIGNMENT)
    if not told:
        return {}
    return {f"test/{UNITS[system.unit]}_beam": char_error_rate(system.signs(found), system.signs(right)).item()}


def search_of(told: Mapping[str, Any], system: CTCRecognizer, data: PairModule) -> dict[str, Any]:
    """Keywords of ``recognize`` from those of a task's search; the language model is counted in the training split.

    Raises:
        ValueError: for a key that there is not.
    """
    search = dict(told)
    fusion = search.pop("fusion", None)
    if unknown := set(search) - {"beam_size"}:
        raise ValueError(f"task.metric.search has {sorted(unknown)}; a recogniser's search has beam_size and fusion")
    if fusion is None:
        return search
    try:
        weights = {name: value for name, value in fusion.items() if name != "order"}
        grams = NGram(targets_of(data, "train"), vocab_size=len(system.labels), order=fusion["order"], end=system.blank)
        return {**search, "fusion": Fusion(grams.step, grams.start, **weights)}
    except (TypeError, KeyError) as error:
        raise ValueError(f"task.metric.search.fusion must have order, and may have weight and bonus: {error}") from None


def targets_of(data: PairModule, split: str) -> list[list[int]]:
    """The right labels of every row of a split."""
    arrays = data.arrays(split)
    return [part.tolist() for part in np.split(arrays["targets"], arrays["target_offsets"][1:-1])]


def draw_alignment(system: CTCRecognizer, data: PairModule, file: Path) -> None:
    """A picture of when the labels of the first row that can be said are said; none where none can be."""
    dataset = data.dataset("test")
    for row in range(len(dataset.lengths)):
        batch = dataset[(row,)]
        if batch.targets.shape[1] == 0 or batch.inputs.shape[1] == 0:
            continue
        aligned = system.align(batch.inputs, None, batch.targets)
        if not bool(aligned.scores.isfinite()):
            continue
        with torch.no_grad():
            posteriors = system(batch.inputs)[0][0].exp().numpy()  # (T, C)
        labels = batch.targets[0].tolist()
        middles = ((aligned.starts + aligned.ends - 1) / 2)[0].tolist()
        figures.posteriors(posteriors, system.labels, system.blank, list(zip(labels, middles, strict=True)), file)
        return
