"""Labels from a signal, each of which depends on those before: speech and handwriting by an RNN transducer.

Shapes: B rows, T steps, F features, T' steps after subsampling, J features of the joint network, C labels with the blank,
U labels of the longest target.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import check_counts
from ..ctc import Transcripts
from ..products import Linear
from ..recurrent import Recurrent, as_network, with_defaults
from ..sequences import IGNORED, State, at_least_single
from ..subsampling import check_pauses
from ..transducer import Machine, transducer_beam_search, transducer_greedy
from ..transducer.decoding import Said, as_transcripts
from .label_model import LabelModel


class Transducer(LabelModel):
    """An RNN transducer (Graves 2012, arXiv:1211.3711): an encoder of the signal, a prediction network of the labels before,
    and a joint network of both, log softmax(W tanh(A f + B g + b)) (Graves et al. 2013, arXiv:1303.5778, equations 13 to 15).

    Unlike a `CTCRecognizer` it has a language model of its own, and may say several labels at a step.

    Args:
        rnn: keywords of ``build_network`` without ``input_size`` for the encoder.
        input_size: F.
        labels, unit, blank, standardize, subsampling: as those of a `CTCRecognizer`.
        prediction: keywords that the prediction network adds to ``rnn``, or a network; it has one layer and reads one way if
            nothing else is said.
        embedding_size: of a label that the prediction network reads.
        joint_size: J.
        dropout: on what the encoder and the prediction network make.

    Raises:
        ValueError: for a bad size or name, or a prediction network that reads ahead.
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
        prediction: dict[str, Any] | Recurrent | None = None,
        embedding_size: int = 16,
        joint_size: int = 64,
        dropout: float = 0.0,
        optimizer: dict[str, Any] | None = None,
        schedule: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, schedule, prediction=prediction)
        check_counts(embedding_size=embedding_size, joint_size=joint_size)
        self.name_labels(labels, unit, blank)
        self.add_reader(rnn, input_size, standardize=standardize, subsampling=subsampling, dropout=dropout)
        defaults = {**with_defaults({"num_layers": 1, "bidirectional": False}, rnn)}
        self.prediction = as_network(with_defaults(prediction, defaults), embedding_size, "prediction")
        if not self.prediction.causal:
            raise ValueError("a prediction network must not read ahead: its bidirectional must be false")
        self.embedding = nn.Embedding(len(labels), embedding_size)
        self.heard = Linear(self.network.output_size, joint_size)
        self.said = Linear(self.prediction.output_size, joint_size, bias=False)
        self.output = Linear(joint_size, len(labels))
        self.complete()

    def run(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """The encoder: what the joint network takes of each step (B, T', J) of ``inputs`` (B, T, F), and the state after the
        last."""
        heard, after = self.hear(inputs, lengths, state)
        return self.heard(heard), after

    def predict_labels(self, labels: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """What the joint network takes after each of the ``labels`` (B, U): (B, U, J), and the state after the last."""
        hidden, after = self.prediction(self.embedding(labels), None, state)
        return self.said(self.dropout(hidden)), after

    def join(self, heard: Tensor, said: Tensor) -> Tensor:
        """Log-probabilities (..., C) of the labels, from what was heard and said (..., J)."""
        return at_least_single(self.output((heard + said).tanh())).log_softmax(-1)

    def lattice(self, inputs: Tensor, lengths: Tensor | None, targets: Tensor) -> Tensor:
        """Log-probabilities (B, T', U + 1, C) of the labels at each step after each part of ``targets`` (B, U)."""
        heard, _ = self(inputs, lengths)
        first = torch.full((len(targets), 1), self.blank, device=targets.device)
        said, _ = self.predict_labels(torch.cat([first, targets.masked_fill(targets == IGNORED, self.blank)], 1))
        return self.join(heard.unsqueeze(2), said.unsqueeze(1))

    @property
    def machine(self) -> Machine:
        """What decoding asks of this model."""

        def start(rows: int) -> State:
            return self.prediction.start(self.embedding.weight.new_zeros(rows, 1, self.embedding.embedding_dim))

        def predict(labels: Tensor, state: State) -> tuple[Tensor, State]:
            said, after = self.predict_labels(labels.unsqueeze(1), state)
            return said[:, 0], after

        return Machine(start, predict, self.join, self.blank)

    @torch.no_grad()
    def recognize(
        self,
        inputs: Tensor,
        lengths: Tensor | None = None,
        *,
        beam_size: int | None = None,
        n_best: int = 1,
        per_step: int = 4,
    ) -> Transcripts:
        """The labels of ``inputs`` (B, T, F): by `transducer_greedy`, or with ``beam_size`` by `transducer_beam_search`; at
        most ``per_step`` of them at a step.

        Raises:
            ValueError: for several answers without a beam, or as ``forward``.
        """
        if beam_size is None and n_best != 1:
            raise ValueError("the likeliest path is one: give a beam_size")
        heard, _ = self(inputs, lengths)
        steps = self.steps(inputs, lengths)
        if beam_size is None:
            labels, scores, _ = transducer_greedy(self.machine, heard, steps, per_step=per_step)
            return as_transcripts(labels, scores)
        search = {"beam_size": beam_size, "n_best": n_best, "per_step": per_step}
        return transducer_beam_search(self.machine, heard, steps, **search)

    @torch.no_grad()
    def stream(
        self, inputs: Tensor, state: tuple[State, Said] | None = None, *, per_step: int = 4
    ) -> tuple[list[list[int]], tuple[State, Said]]:
        """The further labels of a stream whose next steps are ``inputs`` (B, T, F), and the ``state`` to go on from; the labels
        of all parts are those of the whole. With subsampling all parts but the last have a multiple of its stride.

        Raises:
            ValueError: for an encoder that reads backwards, a subsampling that sees ahead, or as ``forward``.
        """
        check_pauses(self.subsampling)
        if not self.network.causal:
            raise ValueError("a network that reads backwards reads no stream: its bidirectional must be false")
        before, said = (None, None) if state is None else state
        heard, after = self(inputs, None, before)
        labels, _, said = transducer_greedy(self.machine, heard, self.steps(inputs, None), said, per_step=per_step)
        return labels, (after, said)
