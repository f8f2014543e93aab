"""From one sequence to another: an encoder, a decoder that looks back at what it read, and a beam search.

Shapes: B rows, S source steps, S' of them after subsampling, F features of a source, E features that the
encoder makes of a step, U target steps, V target tokens.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..attention import Memory, remember
from ..checks import check_counts, check_flags, shown
from ..copying import OUTSIDE
from ..decoder import AttentionDecoder, Decoded, joined
from ..label_names import text_of_labels
from ..recurrent import Recurrent, as_network, with_defaults
from ..regularize import make_dropout
from ..search import Hypotheses, Step, beam_search
from ..sequences import IGNORED, State, fill_padding, last_outputs
from ..subsampling import make_subsampling, read_thinned, steps_left
from .inputs import check_tokens, first_layer, real_targets
from .labels import check_tokens_of_targets
from .model import Model
from .searching import start_of
from .seq2seq_settings import check_losses, check_same_tokens, check_sampling


class Seq2Seq(Model):
    """An encoder-decoder (Sutskever et al. 2014, arXiv:1409.3215) with or without attention (Bahdanau et al. 2015).

    Sources are tokens (B, S), with ``vocab_size``, or features (B, S, F), with ``input_size``: sounds, pictures, series.
    Targets end with the token ``end``, which is also what the decoder reads first. ``forward`` is the encoder; training forces
    the teacher's tokens; ``translate`` searches.

    Args:
        vocab_size, target_vocab_size: tokens of the two sides.
        input_size: F; ``standardize`` and ``subsampling``, of features, are those of `CTCRecognizer`.
        labels: names of the target tokens, in place of ``target_vocab_size``. Targets then are as `CTCRecognizer` reads them:
            without ``end``, which is the first label, the blank there, if nothing else is said, and is put behind each here.
        unit: what a label is, one of ``UNITS``; errors are counted in it.
        rnn: keywords of ``build_network`` without ``input_size``, for both networks; ``encoder`` and ``decoder`` add to
            them or replace them, so that the two may differ in anything, or are networks themselves.
        end: the target token that ends a sequence.
        attention, input_feeding, context, copying, tied: see ``AttentionDecoder``. Where it copies, both sides have the same
            tokens, and those of sources and targets from ``vocab_size`` on are words that the vocabulary lacks.
        coverage_loss: how much of what attention looks at again is added to the training loss: the sum over source steps of
            min(a, c), the weights a of a step and the sum c of those before (See et al. 2017, arXiv:1704.04368, equation 12).
        shared: one embedding for both sides, which then must have the same tokens.
        dropout: on embeddings and on what the output layer reads; between layers ``rnn`` has its own.
        label_smoothing: of the training loss (Szegedy et al. 2016, arXiv:1512.00567); validation and test have none.
        scheduled_sampling: ``{"probability": p, "steps": n}``: in training the decoder reads its own likeliest token
            instead of the teacher's with a probability that rises from 0 to p over n steps (Bengio et al. 2015,
            arXiv:1506.03099).

    Raises:
        ValueError: for a number outside its range, or networks that do not fit their task.
    """

    def __init__(
        self,
        vocab_size: int | None = None,
        target_vocab_size: int | None = None,
        rnn: dict[str, Any] | None = None,
        *,
        end: int | None = None,
        input_size: int | None = None,
        labels: Sequence[str] | None = None,
        unit: str | None = None,
        standardize: Mapping[str, Sequence[float]] | None = None,
        subsampling: dict[str, Any] | None = None,
        encoder: dict[str, Any] | Recurrent | None = None,
        decoder: dict[str, Any] | Recurrent | None = None,
        embedding_size: int = 256,
        attention: str | Mapping[str, Any] | None = "general",
        input_feeding: bool = False,
        context: bool = False,
        copying: dict[str, Any] | None = None,
        coverage_loss: float = 0.0,
        tied: bool = False,
        shared: bool = False,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        scheduled_sampling: dict[str, float] | None = None,
        optimizer: dict[str, Any] | None = None,
        schedule: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, schedule, encoder=encoder, decoder=decoder)
        check_counts(embedding_size=embedding_size)
        check_flags(shared=shared)
        check_losses(label_smoothing, coverage_loss, copying=copying, attention=attention)
        self.target_vocab_size, self.end = check_tokens_of_targets(target_vocab_size, end, labels, unit)
        self.labels, self.unit = None if labels is None else list(labels), unit
        self.label_smoothing, self.coverage_loss = label_smoothing, coverage_loss
        self.sampling = check_sampling(scheduled_sampling)
        self.vocab_size, self.input_size = vocab_size, input_size
        self._make_source(embedding_size, standardize, subsampling)
        size = embedding_size if self.input_size is None else self.input_size
        size = self.subsampling.output_size if self.subsampling else size
        self.encoder = as_network(with_defaults(encoder, rnn), size, "rnn" if encoder is None else "encoder")
        self.dropout = make_dropout(dropout, locked=False)
        self.decoder = AttentionDecoder(
            self.target_vocab_size,
            embedding_size,
            self.encoder.output_size,
            with_defaults(decoder, rnn),
            attention=attention,
            input_feeding=input_feeding,
            context=context,
            copying=copying,
            tied=tied,
            dropout=dropout,
        )
        check_same_tokens(vocab_size, self.target_vocab_size, shared=shared, copying=copying, end=self.end)
        if shared:
            self.embedding.weight = self.decoder.embedding.weight
        self.complete()

    def _make_source(self, embedding_size: int, standardize: Any, subsampling: Any) -> None:
        """What brings a step of the source to what the encoder reads: embedded tokens, or features.

        Raises:
            ValueError: for a source of both or of neither, or settings of the other.
        """
        if (self.vocab_size is None) == (self.input_size is None):
            given = f"not {shown(self.vocab_size)} and {shown(self.input_size)}"
            raise ValueError(f"a source is tokens or features: give vocab_size or input_size, {given}")
        if self.vocab_size is not None and subsampling is not None:
            raise ValueError("subsampling is for features; tokens have none, so leave it out or give input_size")
        width = embedding_size if self.input_size is None else self.input_size
        self.embedding = first_layer(width, self.vocab_size, standardize)
        if isinstance(self.embedding, nn.Embedding):
            nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)
        self.subsampling = make_subsampling(width, subsampling)

    def run(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """The encoder: a source, (B, S) or (B, S, F), to what it makes of each step (B, S', E), and its state."""
        steps = self.embedding(inputs if self.decoder.pointer is None else self.decoder.pointer.read(inputs))
        steps = steps if self.vocab_size is None else self.dropout(steps)
        return read_thinned(self.subsampling, self.encoder, steps, lengths, state)

    def check_inputs(self, inputs: Tensor, lengths: Tensor | None) -> None:
        if self.decoder.pointer is None or self.vocab_size is None:
            return super().check_inputs(inputs, lengths)
        return check_tokens("token", inputs, self.vocab_size + OUTSIDE, lengths=lengths)

    def extended_size(self, tokens: Tensor) -> int:
        """V', which has all ``tokens`` of the sources."""
        return max(self.target_vocab_size, int(tokens.max()) + 1 if tokens.numel() else 0)

    def encode(self, sources: Tensor, lengths: Tensor | None = None) -> Memory:
        """What a decoder looks at, for ``sources``, (B, S) or (B, S, F); a source without steps is all zeros."""
        values, _ = self(sources, lengths)
        lengths = None if lengths is None else steps_left(self.subsampling, sources, lengths)
        if values.shape[1] == 0:
            summary = values.new_zeros(values.shape[0], values.shape[2])
        else:
            summary = last_outputs(values, lengths, bidirectional=self.encoder.bidirectional)
        memory = remember(values, lengths, summary, self.decoder.attention)
        if self.decoder.pointer is None:
            return memory
        tokens = fill_padding(sources, lengths)
        return memory._replace(tokens=tokens, size=self.extended_size(tokens))

    def start(self, rows: int, device: torch.device) -> Tensor:
        """What the decoder reads first (B,)."""
        return torch.full((rows,), self.end, device=device)

    def shift_right(self, targets: Tensor) -> Tensor:
        """The inputs (B, U) of the decoder for ``targets`` (B, U): ``end``, then all targets but the last."""
        first = self.start(len(targets), targets.device).unsqueeze(1)
        return torch.cat([first, targets[:, :-1].masked_fill(targets[:, :-1] == IGNORED, self.end)], 1)

    def teacher_forced(self, memory: Memory, targets: Tensor, own: float = 0.0) -> Decoded:
        """Teacher forcing: the decoder's steps of ``targets`` (B, U); ``own``: see ``scheduled_sampling``."""
        shifted, state = self.shift_right(targets), self.decoder.start(memory)
        if own == 0:
            return self.decoder(memory, shifted, state)
        steps: list[Decoded] = []
        for teacher in shifted.split(1, 1):
            token = teacher
            if steps:
                likeliest = self.decoder.log_probs(memory, steps[-1]).argmax(2)
                token = torch.where(torch.rand(teacher.shape, device=teacher.device) < own, likeliest, teacher)
            steps.append(self.decoder(memory, token, state))
            state = steps[-1].state
        return joined(steps)

    @torch.no_grad()
    def translate(self, sources: Tensor, lengths: Tensor | None = None, *, coverage: float = 0.0, **search: Any) -> Hypotheses:
        """The best sequences that ``beam_search`` finds for ``sources``, (B, S) or (B, S, F); ``search`` are its keywords.

        Without ``max_length`` a translation has at most twice the steps that the encoder reads and ten more. ``coverage`` is
        the strength of a penalty on source steps that were not looked at, and needs attention.

        Raises:
            ValueError: for a coverage without attention, or as ``beam_search``.
        """
        start = start_of(self, sources, lengths, coverage)
        search.setdefault("max_length", start.longest)
        if start.bonus is not None:
            search["bonus"] = start.bonus
        return beam_search(start.step, start.state, start.first, end=start.end, **search)

    def stepper(self, memory: Memory) -> Step:
        """The step of a search over the sources of ``memory``, from the state ``decoder.start(memory)`` on."""
        return partial(self.decoder.step, memory)

    @staticmethod
    def best(found: Hypotheses) -> list[list[int]]:
        """The tokens of the best hypothesis of each row, without its end."""
        return [
            row[: max(size - 1, 0)] for row, size in zip(found.tokens[:, 0].tolist(), found.lengths[:, 0].tolist(), strict=True)
        ]

    def text(self, labels: Sequence[int]) -> str:
        """The ``labels`` of one row by their names: characters side by side, else with a blank space between.

        Raises:
            ValueError: where the model has no labels.
        """
        if self.labels is None:
            raise ValueError("the target tokens have no names: give the model labels")
        return text_of_labels(self.labels, str(self.unit), labels)

    @torch.no_grad()
    def attend(self, sources: Tensor, lengths: Tensor | None, targets: Tensor) -> Tensor | None:
        """How much each of ``targets`` (B, U) looked at each source step: (B, U, S'); ``None`` without attention."""
        memory = self.encode(sources, lengths)
        targets = real_targets(targets, None, max(memory.size, self.target_vocab_size))
        if len(targets) != len(sources):
            raise ValueError(f"targets must have one row for each of sources, {len(sources)}, not {len(targets)}")
        return self.decoder(memory, self.shift_right(targets), self.decoder.start(memory)).weights
