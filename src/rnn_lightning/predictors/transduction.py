"""Labels of signals by an RNN transducer: speech, handwriting, phonemes.

Shapes: B signals, T steps.
"""

from collections.abc import Sequence
from pathlib import Path

from ..checks import check_beam, check_counts, check_n_best
from ..items.base import Answer
from ..items.folders import settings_of
from ..items.inputs import Encoded, Inputs, make_inputs
from ..items.ranked import RankedAnswers
from ..models import Transducer
from .base import Predictor, load_system


class TransductionPredictor(RankedAnswers, Predictor[Transducer]):
    """The text of a signal and its log-probability, see `RankedAnswers`: by a beam the sum over the alignments that it has
    seen, else that of the likeliest path."""

    def __init__(
        self,
        system: Transducer,
        inputs: Inputs,
        *,
        batch_size: int = 16,
        beam_size: int | None = None,
        n_best: int = 1,
        per_step: int = 4,
    ) -> None:
        """Recognise by ``system``.

        Args:
            beam_size: search with so many hypotheses; ``None``: take the likeliest path.
            n_best: so many texts a signal, which needs a beam of at least that size.
            per_step: at most so many labels a step.

        Raises:
            ValueError: for a number below 1, or more answers than a beam has.
        """
        super().__init__(system, inputs, batch_size=batch_size)
        if beam_size is not None:
            check_beam(beam_size)
        check_n_best(n_best, beam_size)
        check_counts(per_step=per_step)
        self.beam_size, self.n_best, self.per_step, self.listed = beam_size, n_best, per_step, n_best > 1

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        batch_size: int = 16,
        beam_size: int | None = None,
        n_best: int = 1,
        per_step: int | None = None,
    ) -> "TransductionPredictor":
        """The predictor of a run; ``None`` is what the run's test had."""
        own = settings_of(folder, "search")
        beam = own.get("beam_size") if beam_size is None else beam_size
        most = own.get("per_step", 4) if per_step is None else per_step
        system = load_system(Transducer, folder)
        inputs = make_inputs(settings_of(folder, "inputs"), folder, system.input_size)
        return cls(system, inputs, batch_size=batch_size, beam_size=beam, n_best=n_best, per_step=most)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        best = self.system.recognize(*self.pad(batch), beam_size=self.beam_size, n_best=self.n_best, per_step=self.per_step)
        answers = []
        for labels, lengths, scores in zip(best.labels.tolist(), best.lengths.tolist(), best.scores.tolist(), strict=True):
            found = [(row[:length], score) for row, length, score in zip(labels, lengths, scores, strict=True) if score > -1e30]
            answers.append(self.of_ranked([{"text": self.system.text(row), "score": score} for row, score in found]))
        return answers
