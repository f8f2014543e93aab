"""Labels of signals by CTC: speech, handwriting, phonemes.

Shapes: B signals, T steps.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from ..checks import check_beam, check_counts
from ..items.base import Answer
from ..items.folders import search_of_test, settings_of
from ..items.inputs import Encoded, Inputs, make_inputs
from ..items.signals import labels_answer
from ..models import CTCRecognizer
from .base import Predictor, load_system


class RecognitionPredictor(Predictor[CTCRecognizer]):
    """The text of a signal, its log-probability (``score``), and from when to when each label lasts, how surely.

    ``{"text": "12", "score": -0.3, "labels": [{"label": "1", "first_step": 4, "steps": 2, "confidence": 0.9}, ...]}``; of
    sound, labels have ``start`` and ``end`` in seconds. With ``n_best`` above 1 a list of texts and scores is added, which is
    shorter where the beam has found fewer.
    """

    def __init__(
        self,
        system: CTCRecognizer,
        inputs: Inputs,
        *,
        batch_size: int = 16,
        beam_size: int | None = None,
        n_best: int = 1,
    ) -> None:
        """Recognise by ``system``.

        Args:
            beam_size: search over prefixes with so many of them; ``None``: take the best path.
            n_best: so many texts a signal, which needs a beam of at least that size.

        Raises:
            ValueError: for a number below 1, or more answers than a beam has.
        """
        super().__init__(system, inputs, batch_size=batch_size)
        if beam_size is not None:
            check_beam(beam_size)
        check_counts(most=beam_size or 1, n_best=n_best)
        self.beam_size, self.n_best = beam_size, n_best

    @classmethod
    def load(
        cls, folder: str | Path, *, batch_size: int = 16, beam_size: int | None = None, n_best: int = 1
    ) -> "RecognitionPredictor":
        """The predictor of a run; without a ``beam_size`` it searches as the run's test did."""
        beam_size = search_of_test(folder).get("beam_size") if beam_size is None else beam_size
        system = load_system(CTCRecognizer, folder)
        inputs = make_inputs(settings_of(folder, "inputs"), folder, system.input_size)
        return cls(system, inputs, batch_size=batch_size, beam_size=beam_size, n_best=n_best)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        inputs, lengths = self.pad(batch)
        system = self.system
        best = system.recognize(inputs, lengths, beam_size=self.beam_size, n_best=self.n_best)
        found, counts = best.labels[:, 0], best.lengths[:, 0]
        aligned = system.align(inputs, lengths, found, counts)
        stride = 1 if system.subsampling is None else system.subsampling.stride
        answers: list[Answer] = []
        for row, labels in enumerate(system.sequences(found, counts)):
            times = zip(*(of[row].tolist() for of in (aligned.starts, aligned.ends, aligned.confidence)), strict=True)
            names = [system.labels[label] for label in labels]
            score = best.scores[row, 0].item()
            answers.append(labels_answer(batch[row], system.text(labels), score, names=names, times=times, stride=stride))
            if self.n_best > 1:
                texts = map(system.text, system.sequences(best.labels[row], best.lengths[row]))
                ranked = zip(texts, best.scores[row].tolist(), strict=True)
                answers[-1]["n_best"] = [{"text": text, "score": score} for text, score in ranked if score > -math.inf]
        return answers
