"""Labels from a signal, without their times: speech, handwriting, phonemes.

Shapes: B rows, T steps, F features, T' steps after subsampling, C labels with the blank, U labels of the longest target.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..ctc import Alignment, ShallowFusion, Transcripts, ctc_align, ctc_beam_search, ctc_greedy
from ..products import Linear
from ..recurrent import Recurrent
from ..sequences import State, at_least_single
from .label_model import LabelModel


class CTCRecognizer(LabelModel):
    """A recurrent network with a label or the blank at each step, trained by connectionist temporal classification (Graves
    et al. 2006; for online handwriting Graves et al. 2009).

    Features are standardised, thinned out in time if ``subsampling`` says so, and read by any network, one way or both ways.

    Args:
        rnn: keywords of ``build_network`` without ``input_size``, or a network that reads F features, or what
            subsampling makes of them.
        input_size: F.
        labels: the names of all C labels, that of the blank among them.
        unit: what a label is, one of ``UNITS``; errors are counted in it. Characters with a space among them also have a
            rate of word errors.
        blank: the label that stands for none.
        standardize: means and deviations of the features, as ``Standardize`` takes them.
        subsampling: keywords of ``Subsampling`` without ``input_size``; with ``name: pictures`` those of
            ``PictureSubsampling``, which takes the features of a step for the column of a picture.
        dropout: on what the network makes of each step.

    Raises:
        ValueError: for a bad size or name.
    """

    def __init__(
        self,
        rnn: dict[str, Any] | Recurrent,
        input_size: int,
        labels: Sequence[str],
        *,
        unit: str = "character",
        blank: int = 0,
        standardize: Mapping[str, Sequence[float]] | None = None,
        subsampling: dict[str, Any] | None = None,
        dropout: float = 0.0,
        optimizer: dict[str, Any] | None = None,
        schedule: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, schedule, rnn=rnn)
        self.name_labels(labels, unit, blank)
        self.add_reader(rnn, input_size, standardize=standardize, subsampling=subsampling, dropout=dropout)
        self.output = Linear(self.network.output_size, len(labels))
        self.complete()

    def run(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Log-probabilities (B, T', C) of the labels at each step of ``inputs`` (B, T, F), and the state after the last.

        A network that reads one way may read on from a state; with subsampling, after a multiple of its stride,
        and with that of pictures not at all.
        """
        heard, after = self.hear(inputs, lengths, state)
        return at_least_single(self.output(heard)).log_softmax(2), after

    @staticmethod
    def sequences(labels: Tensor, lengths: Tensor) -> list[list[int]]:
        """The rows of ``labels`` (B, U), each as long as it is."""
        return [row[:length] for row, length in zip(labels.tolist(), lengths.tolist(), strict=True)]

    @torch.no_grad()
    def recognize(
        self,
        inputs: Tensor,
        lengths: Tensor | None = None,
        *,
        beam_size: int | None = None,
        n_best: int = 1,
        fusion: ShallowFusion | None = None,
        cut: float = 0.0,
    ) -> Transcripts:
        """The labels of ``inputs`` (B, T, F): those of the best path, or with ``beam_size`` of `ctc_beam_search`.

        Raises:
            ValueError: for several answers, a language model or a cut without a beam, or as ``forward``.
        """
        if beam_size is None and (n_best != 1 or fusion is not None or cut):
            raise ValueError("the best path is one, and neither a language model nor a cut changes it: give a beam_size")
        log_probs, _ = self(inputs, lengths)
        steps = self.steps(inputs, lengths)
        if beam_size is None:
            return ctc_greedy(log_probs, steps, blank=self.blank)
        search = {"beam_size": beam_size, "n_best": n_best, "blank": self.blank}
        return ctc_beam_search(log_probs, steps, **search, fusion=fusion, cut=cut)

    @torch.no_grad()
    def align(self, inputs: Tensor, lengths: Tensor | None, targets: Tensor, target_lengths: Tensor | None = None) -> Alignment:
        """The forced alignment of ``targets`` (B, U): when each is emitted, in steps after subsampling.

        Raises:
            ValueError: as ``forward`` and ``ctc_align``.
        """
        log_probs, _ = self(inputs, lengths)
        return ctc_align(log_probs, targets, self.steps(inputs, lengths), target_lengths, blank=self.blank)
