"""Recognisers (CTC) in the pipeline: labels found beside the right ones, what became of each label, alignments, pen words.

Shapes: T steps, C labels, U labels of a target.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchmetrics.functional.text import char_error_rate

from pipelines.kinds.base import Kind, answer_split, target_rows
from pipelines.kinds.edits import errors_by_label, label_error_table
from pipelines.settings.contents import check_content
from pipelines.settings.schema import Experiment
from rnn_lightning import BackOffNGram, CTCRecognizer, NGram, PairModule, ShallowFusion
from rnn_lightning.files import read_json
from rnn_lightning.label_names import UNITS
from rnn_lightning.sequences import Batch
from rnn_lightning.systems.labelled import LabelSystem

RECOGNIZED, ALIGNMENT, STROKES, REPORT = "recognized.txt", "alignment.png", "strokes.png", "labels.md"
MOST_SHOWN = 12
"""So many words of a pen a picture has room for."""


class RecognitionKind(Kind[CTCRecognizer]):
    """Labels of a signal, without their times."""

    predictor = "recognition"

    def check_search(self, experiment: Experiment, system: CTCRecognizer, data: PairModule) -> None:
        if search := experiment.task.metric.search:
            check_search(system, data, search)

    def description(self, experiment: Experiment, card: dict[str, Any]) -> dict[str, Any]:
        search = dict(experiment.task.metric.search)
        fusion = search.pop("fusion", None)
        return super().description(experiment, card) | {"search": search} | ({"tested_with": fusion} if fusion else {})

    def test(self, experiment: Experiment, system: CTCRecognizer, data: PairModule, folder: Path) -> dict[str, float]:
        """Leaves what was found beside what is right, what became of each label, and pictures: when the labels of a row are
        said, and of pens some words.

        Where the task's metric has a search, what is found is its, and its rate of errors is returned beside that of the best
        path.
        """
        system.eval()
        settings = experiment.task.metric.search
        found = recognize_split(system, data, "test", search_of(settings, system, data))
        card = read_json(experiment.processed() / "card.json")
        right = write_found(system, data, found, card, folder)
        draw_alignment(system, data, card, folder / ALIGNMENT)
        return beam_rate(system, found, right) if settings else {}


def write_found(
    system: LabelSystem, data: PairModule, found: Sequence[list[int]], card: Mapping[str, Any], folder: Path
) -> list[list[int]]:
    """Leave in ``folder`` what is ``found`` of the test split beside what is right, what became of each label, and of pens a
    picture of some words; returns what is right."""
    from pipelines.kinds.signal_figures import is_pen

    right = target_rows(data, "test")
    texts = [(system.text(one), system.text(other)) for one, other in zip(found, right, strict=True)]
    (folder / RECOGNIZED).write_text("".join(f"{one}\t{other}\n" for one, other in texts), encoding="utf-8")
    made = errors_by_label(zip(right, found, strict=True), system.labels)
    (folder / REPORT).write_text(label_error_table(made), encoding="utf-8")
    if is_pen(card):
        draw_words(data, texts, folder / STROKES)
    return right


def beam_rate(system: LabelSystem, found: Sequence[list[int]], right: Sequence[list[int]]) -> dict[str, float]:
    """The rate of errors of what a search has ``found``, by its name among the metrics."""
    return {f"test/{UNITS[system.unit]}_beam": char_error_rate(system.signs(found), system.signs(right)).item()}


def recognize_split(system: CTCRecognizer, data: PairModule, split: str, search: Mapping[str, Any]) -> list[list[int]]:
    """The labels of every row of a split, in its order; ``search`` are keywords of ``recognize``."""

    def recognize(batch: Batch) -> list[list[int]]:
        best = system.recognize(batch.inputs, batch.lengths, **search)
        return system.sequences(best.labels[:, 0], best.lengths[:, 0])

    return answer_split(system, data, split, recognize)


def check_search(system: CTCRecognizer, data: PairModule, settings: Mapping[str, Any]) -> None:
    """Refuse, before ``system`` is trained, a search that its test would fail by.

    Raises:
        ValueError: as ``search_of`` and ``CTCRecognizer.recognize``.
    """
    batch = data.dataset("validation")[(0,)]
    system.eval().recognize(batch.inputs, batch.lengths, **search_of(settings, system, data))
    system.train()


def search_of(settings: Mapping[str, Any], system: CTCRecognizer, data: PairModule) -> dict[str, Any]:
    """Keywords of ``recognize`` from those of a task's search; the language model is counted in the training split, or read
    from an ARPA file.

    Raises:
        ValueError: for a key that there is not, or a damaged file.
        FileNotFoundError: where there is no such file.
    """
    search = dict(settings)
    fusion = search.pop("fusion", None)
    if unknown := set(search) - {"beam_size"}:
        raise ValueError(f"task.metric.search has {sorted(unknown)}; a recogniser's search has beam_size and fusion")
    if not isinstance(beam_size := search.get("beam_size", 1), int):
        raise ValueError(f"task.metric.search.beam_size must be a whole number, not {beam_size!r}")
    if fusion is None:
        return search
    try:
        grams = language_model_of(fusion, system, data)
        weights = {name: value for name, value in fusion.items() if name not in ("order", "arpa", "sha256", "space")}
        return {**search, "fusion": ShallowFusion(grams.step, grams.start, **weights)}
    except (TypeError, KeyError) as error:
        allowed = "order, or arpa and perhaps space, and may have weight and bonus"
        raise ValueError(f"task.metric.search.fusion must have {allowed}: {error}") from None


def language_model_of(fusion: Mapping[str, Any], system: CTCRecognizer, data: PairModule) -> NGram | BackOffNGram:
    """The n-grams of an ``order`` in the training split, or those of the file ``arpa``, in which ``space`` is the blank.

    Raises:
        KeyError: for neither.
        ValueError: for both, a damaged file, or another one than its ``sha256`` says.
    """
    if "arpa" not in fusion:
        return NGram(target_rows(data, "train"), vocab_size=len(system.labels), order=fusion["order"], end=system.blank)
    if "order" in fusion:
        raise ValueError("task.metric.search.fusion has order and arpa: the file says its order, leave order out")
    check_content("task.metric.search.fusion", fusion)
    return BackOffNGram.read(fusion["arpa"], system.labels, end=system.blank, space=fusion.get("space", "<space>"))


def draw_words(data: PairModule, texts: Sequence[tuple[str, str]], file: Path) -> None:
    """A picture of rows from all over the test split with their ``texts``, found and right."""
    from pipelines.kinds.signal_figures import pen_words

    rows = np.unique(np.linspace(0, len(texts) - 1, MOST_SHOWN).round().astype(int)).tolist()
    dataset = data.dataset("test")
    pen_words([(dataset[(row,)].inputs[0].numpy(), *texts[row]) for row in rows], file)


def draw_alignment(system: CTCRecognizer, data: PairModule, card: Mapping[str, Any], file: Path) -> None:
    """A picture of when the labels of the first row that can be said are said; none where none can be."""
    from pipelines.kinds.signal_figures import alignment, picture_of

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
        picture = picture_of(batch.inputs[0].numpy(), card)
        aligned = list(zip(labels, middles, strict=True))
        alignment(picture, posteriors, system.labels, blank=system.blank, aligned=aligned, file=file)
        return
