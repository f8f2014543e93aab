"""Labels from a signal, without their times: speech, handwriting, phonemes.

Shapes: B rows, T steps, F features, T' steps after subsampling, C labels with the blank, U labels of the longest target.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.text import CharErrorRate, WordErrorRate

from ..ctc import Alignment, ShallowFusion, Transcripts, ctc_align, ctc_beam_search, ctc_greedy, ctc_loss
from ..processes import all_reduce_sum, rank_and_world_size
from ..recurrent import build_network
from ..regularize import make_dropout
from ..sequences import Batch, State, length_mask
from ..standardize import Standardize
from ..subsampling import make_subsampling
from .system import System, check_sizes

UNITS = {"character": "cer", "phoneme": "per", "word": "wer"}
"""What a label is, and the name of the rate of errors in it."""
SPLITS = ("val", "test")
PRIVATE = 0xE000
"""Where Unicode keeps 6,400 signs for private use: one for each label, so that a library of text can count edits of labels."""


class CTCRecognizer(System):
    """A recurrent network that says a label or nothing at each step, trained by connectionist temporal classification (Graves
    et al. 2006; for online handwriting Graves et al. 2009).

    Features are standardised, thinned out in time if ``subsampling`` says so, and read by any network, one way or both ways.
    """

    def __init__(
        self,
        rnn: dict[str, Any],
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
        """Build the recogniser.

        Args:
            rnn: keywords of ``recurrent`` without ``input_size``.
            input_size: F.
            labels: the names of all C labels, that of the blank among them.
            unit: what a label is, one of ``UNITS``; errors are counted in it. Characters with a space among them also have a
                rate of word errors.
            blank: the label that stands for none.
            standardize: means and deviations of the features, as ``Standardize`` takes them.
            subsampling: keywords of ``Subsampling`` without ``input_size``.
            dropout: on what the network makes of each step.

        Raises:
            ValueError: for a bad size or name.
        """
        super().__init__(optimizer, schedule)
        self.save_hyperparameters()
        check_sizes(input_size=input_size)
        if unit not in UNITS:
            raise ValueError(f"unit must be one of {sorted(UNITS)}, not {unit!r}")
        if len(labels) < 2 or len(set(labels)) < len(labels) or not 0 <= blank < len(labels):
            raise ValueError(
                f"labels must be two or more, all different, and blank one of their numbers, not {blank} of {labels}"
            )
        self.input_size, self.labels, self.unit, self.blank = input_size, list(labels), unit, blank
        self.standardize = Standardize(input_size, standardize)
        self.subsampling = make_subsampling(input_size, subsampling)
        self.network = build_network(input_size=self.subsampling.output_size if self.subsampling else input_size, **rnn)
        self.dropout = make_dropout(dropout, locked=False)
        self.output = nn.Linear(self.network.output_size, len(labels))
        rates: dict[str, nn.Module] = {f"{split}_{UNITS[unit]}": CharErrorRate() for split in SPLITS}
        if unit == "character" and " " in self.labels:
            rates |= {f"{split}_wer": WordErrorRate() for split in SPLITS}
        self.rates = nn.ModuleDict(rates)
        self.infeasible: dict[str, int] = dict.fromkeys(("train", *SPLITS), 0)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
        """Log-probabilities (B, T', C) of the labels at each step of ``inputs`` (B, T, F), and the state after the last.

        A network that reads one way may read on from a state; with subsampling, after a multiple of its stride.

        Raises:
            ValueError: for inputs of another width or not finite, or lengths that do not fit.
        """
        if inputs.device.type == "cpu":
            self.check_inputs(inputs, lengths)
        features = self.standardize(inputs)
        if self.subsampling is None:
            hidden, after = self.network(features, lengths, state)
        else:
            tail, before = (self.subsampling.start(features), None) if state is None else state
            features, lengths, tail = self.subsampling(features, lengths, tail)
            hidden, inner = self.network(features, lengths, before)
            after = tail, inner
        return _log_softmax(self.output(self.dropout(hidden))), after

    def steps(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """The steps T' (B,) that are left of ``lengths``, or of all steps of ``inputs``."""
        if lengths is None:
            lengths = torch.full((len(inputs),), inputs.shape[1])
        return lengths if self.subsampling is None else self.subsampling.steps(lengths)

    def check_inputs(self, inputs: Tensor, lengths: Tensor | None) -> None:
        if inputs.dim() != 3 or inputs.shape[2] != self.input_size or not inputs.is_floating_point():
            shape = f"(B, T, {self.input_size})"
            raise ValueError(f"inputs must be floats of shape {shape}, not {inputs.dtype} of shape {tuple(inputs.shape)}")
        wrong = ~torch.isfinite(inputs).all(2)
        if lengths is not None and lengths.shape == inputs.shape[:1]:
            wrong &= length_mask(lengths, inputs.shape[1])
        places = wrong.nonzero()
        if len(places):
            row, step = places[0].tolist()
            raise ValueError(f"the input at row {row}, step {step} is not finite: {inputs[row, step].tolist()[:4]} ...")

    def score(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        log_probs, _ = self(batch.inputs, batch.lengths)
        steps = self.steps(batch.inputs, batch.lengths)
        targets, counts = batch.targets, batch.target_lengths
        if counts is None:
            counts = torch.full((len(targets),), targets.shape[1])
        losses = ctc_loss(log_probs, targets, steps, counts, blank=self.blank)
        spelled = losses.isfinite()
        self.infeasible[split] += int((~spelled).sum())
        if split != "train":
            self._count(split, ctc_greedy(log_probs.detach(), steps, blank=self.blank), targets, counts)
        if not bool(spelled.any()):
            return log_probs.sum() * 0.0, 0
        count = int(counts.to(spelled.device)[spelled].clamp(min=1).sum())
        return losses[spelled].sum() / count, count

    def _count(self, split: str, found: Transcripts, targets: Tensor, counts: Tensor) -> None:
        """Count the edits from what was found to what is right."""
        said = self.sequences(found.labels[:, 0], found.lengths[:, 0])
        right = self.sequences(targets, counts)
        signs = [self.signs(rows) for rows in (said, right)]
        spoken = [[self.text(row) for row in rows] for rows in (said, right)]
        for name, rate in self.rates_of(split).items():
            rate.update(*(signs if name == UNITS[self.unit] else spoken))

    def rates_of(self, split: str) -> dict[str, Metric]:
        """What counts the errors of ``val`` or ``test``, by the name of the rate."""
        counters = {name.partition("_"): cast(Metric, rate) for name, rate in self.rates.items()}
        return {name: rate for (own, _, name), rate in counters.items() if own == split}

    @staticmethod
    def sequences(labels: Tensor, lengths: Tensor) -> list[list[int]]:
        """The rows of ``labels`` (B, U), each as long as it is."""
        return [row[:length] for row, length in zip(labels.tolist(), lengths.tolist(), strict=True)]

    @staticmethod
    def signs(rows: Sequence[Sequence[int]]) -> list[str]:
        """A text for each of the ``rows`` of labels, of one sign a label: what a library of text can count edits in."""
        return ["".join(chr(PRIVATE + label) for label in row) for row in rows]

    def text(self, labels: Sequence[int]) -> str:
        """The labels of one row by their names: characters side by side, else with a blank space between."""
        return ("" if self.unit == "character" else " ").join(self.labels[label] for label in labels)

    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        self._forget("val")

    def on_validation_epoch_end(self) -> None:
        if self.train_loss.update_called:
            self.log("train/infeasible", float(all_reduce_sum(self.infeasible["train"])))
            self.infeasible["train"] = 0
        super().on_validation_epoch_end()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["infeasible"] = all_reduce_sum(self.infeasible["train"])

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.infeasible["train"] = checkpoint.get("infeasible", 0) if rank_and_world_size()[0] == 0 else 0

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        self._forget("test")

    def _forget(self, split: str) -> None:
        self.infeasible[split] = 0
        for rate in self.rates_of(split).values():
            rate.reset()

    def log_scores(self, split: str) -> None:
        for name, rate in self.rates_of(split).items():
            self.log(f"{split}/{name}", rate.compute(), prog_bar=True)
        self.log(f"{split}/infeasible", float(all_reduce_sum(self.infeasible[split])))

    @torch.no_grad()
    def recognize(
        self,
        inputs: Tensor,
        lengths: Tensor | None = None,
        *,
        beam_size: int | None = None,
        n_best: int = 1,
        fusion: ShallowFusion | None = None,
    ) -> Transcripts:
        """The labels of ``inputs`` (B, T, F): those of the best path, or with ``beam_size`` of a search over prefixes.

        Raises:
            ValueError: for several answers or a language model without a beam, or as ``forward``.
        """
        if beam_size is None and (n_best != 1 or fusion is not None):
            raise ValueError("the best path is one, and no language model can change it: give a beam_size")
        log_probs, _ = self(inputs, lengths)
        steps = self.steps(inputs, lengths)
        if beam_size is None:
            return ctc_greedy(log_probs, steps, blank=self.blank)
        return ctc_beam_search(log_probs, steps, beam_size=beam_size, n_best=n_best, blank=self.blank, fusion=fusion)

    @torch.no_grad()
    def align(self, inputs: Tensor, lengths: Tensor | None, targets: Tensor, target_lengths: Tensor | None = None) -> Alignment:
        """When each of ``targets`` (B, U) is said, in steps after subsampling.

        Raises:
            ValueError: as ``forward`` and ``ctc_align``.
        """
        log_probs, _ = self(inputs, lengths)
        return ctc_align(log_probs, targets, self.steps(inputs, lengths), target_lengths, blank=self.blank)


def _log_softmax(scores: Tensor) -> Tensor:
    """In single precision at least, whatever the network computes in."""
    return scores.log_softmax(2) if scores.dtype == torch.float64 else scores.float().log_softmax(2)
