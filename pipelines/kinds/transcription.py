"""Encoder-decoders of signals in the pipeline: texts found by a beam beside the right ones, and what they attended to."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.kinds.base import Kind, answer_split
from pipelines.kinds.recognition import beam_rate, write_found
from pipelines.kinds.searches import check_searcher, ensemble_errors, ensemble_loss, searcher_of
from pipelines.runs.partners import names_others
from pipelines.settings.schema import Experiment
from rnn_lightning import PairModule, Seq2Seq
from rnn_lightning.files import read_json
from rnn_lightning.predictors.searching import Searcher
from rnn_lightning.predictors.sides import labels_side
from rnn_lightning.predictors.translation import TranscriptionPredictor
from rnn_lightning.sequences import Batch

ATTENTION = "attention.png"


class TranscriptionKind(Kind[Seq2Seq]):
    """Labels of a signal, one after the other."""

    predictor = "transcription"

    def check_search(self, experiment: Experiment, system: Seq2Seq, data: PairModule) -> None:
        check_searcher(search_by(experiment, system.eval()), data)
        system.train()

    def description(self, experiment: Experiment, card: dict[str, Any]) -> dict[str, Any]:
        return super().description(experiment, card) | {"search": experiment.task.metric.search}

    def test(self, experiment: Experiment, system: Seq2Seq, data: PairModule, folder: Path) -> dict[str, float]:
        """Leaves what is found as the task's metric says beside what is right, what became of each label, and a picture of what
        one row attended to. Where the metric has a search, its rate of errors is returned beside that of a beam of 1; of
        several networks together both, and the loss, are measured here."""
        settings, searcher = experiment.task.metric.search, search_by(experiment, system.eval())

        def answer(batch: Batch) -> list[list[int]]:
            return [row[0].tokens if row else [] for row in searcher(batch.inputs, batch.lengths)]

        found = answer_split(system, data, "test", answer)
        card = read_json(experiment.processed() / "card.json")
        right = write_found(system, data, found, card, folder)
        if names_others(settings):
            values = ensemble_loss(searcher, system, data) | ensemble_errors(searcher, system, data)
            return values | beam_rate(system, found, right)
        if system.decoder.attention is not None:
            draw_attention(system, data, found, card, folder / ATTENTION)
        return beam_rate(system, found, right) if settings else {}


def search_by(experiment: Experiment, system: Seq2Seq) -> Searcher:
    """The search of a test by ``system``; see `searcher_of`."""
    inputs = json.loads(json.dumps(experiment.task.corpus.build().inputs()))
    shared = TranscriptionPredictor.shared_by(inputs, system)
    return searcher_of(system, experiment.task.metric.search, labels_side(system), TranscriptionPredictor, shared)


def draw_attention(system: Seq2Seq, data: PairModule, found: Sequence[list[int]], card: Mapping[str, Any], file: Path) -> None:
    """A picture of what the ``found`` labels of the first row that has some attended to; none where none has."""
    from pipelines.kinds.signal_figures import attended, picture_of

    row = next((row for row, labels in enumerate(found) if labels), None)
    if row is None:
        return
    batch = system.transfer_batch_to_device(data.dataset("test")[(row,)], system.device, 0)
    weights = system.attend(batch.inputs, batch.lengths, batch.targets.new_tensor([found[row]]))
    assert weights is not None
    names = [system.labels[label] for label in found[row]]
    attended(picture_of(batch.inputs[0].cpu().numpy(), card), weights[0].cpu().numpy(), names, file)
