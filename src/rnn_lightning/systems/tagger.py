"""A tag for every word: parts of speech, named entities.

Shapes: B rows, T steps, C characters of the longest word, E features of a word, K of its spelling, V words, L tags.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric

from ..characters import character_encoder
from ..checks import check_choice, check_counts, check_names, check_probability, shown
from ..metrics import SpanF1
from ..recurrent import Recurrent, as_network
from ..registry import choose
from ..regularize import make_dropout
from ..sequences import IGNORED, Batch, State, check_memory, check_tensors
from ..symbols import UNKNOWN_WORD
from ..tag_schemes import SCHEMES, span_constraints
from .inputs import check_no_target_lengths, check_range, real_targets
from .system import System
from .tag_output import OUTPUTS

GROUPS = ("accuracy", "accuracy_known", "accuracy_unknown")
VECTORS = ("tuned", "frozen")


class Tagger(System):
    """A recurrent network over words and their spelling (Ling et al. 2015; Plank et al. 2016, arXiv:1604.05529).

    A word is its embedding and, with ``characters``, what an encoder makes of its spelling, side by side. Inputs are words
    (B, T), or words with their characters (B, T, 1 + C) as ``PairModule`` yields them; a tagger without ``characters`` reads
    the words of these alone. The word 0 stands for all unknown ones. Predictions are the tags (B, T), `IGNORED` behind each
    row's length.

    Args:
        vocab_size, num_tags: V and L.
        rnn: keywords of ``build_network`` without ``input_size``, or a network that reads E + K features.
        num_characters: how many characters there are, padding and unknown ones included; needed with ``characters``.
        characters: ``{"name": "rnn", ...}`` or ``{"name": "cnn", ...}`` and keywords of ``RecurrentCharacters`` or
            ``ConvolvedCharacters``.
        embedding_size: E.
        word_dropout: how often training reads a word as the unknown one, its spelling left as it is.
        dropout: on what the network reads and on what it makes, one mask for all steps of a row.
        output: one of ``OUTPUTS``.
        tags: the names of the tags, which a scheme needs.
        scheme: the tags mark spans by BIO or BIOES. A CRF then allows what the scheme does, and spans are counted.
        vectors: what becomes of pretrained vectors, which ``load_vectors`` sets before a training: ``tuned`` with
            everything else, or ``frozen``, which leaves the whole embedding as it starts.

    Raises:
        ValueError: for a bad size or name, ``characters`` without their number, or a scheme without its tags.
    """

    def __init__(
        self,
        vocab_size: int,
        num_tags: int,
        rnn: dict[str, Any] | Recurrent,
        *,
        num_characters: int | None = None,
        characters: dict[str, Any] | None = None,
        embedding_size: int = 100,
        word_dropout: float = 0.0,
        dropout: float = 0.0,
        output: str = "softmax",
        tags: Sequence[str] | None = None,
        scheme: str | None = None,
        vectors: str | None = None,
        optimizer: dict[str, Any] | None = None,
        schedule: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, schedule, rnn=rnn)
        check_counts(vocab_size=vocab_size, num_tags=num_tags, embedding_size=embedding_size)
        make_output = choose("output", OUTPUTS, output)
        check_memory(vocab_size=vocab_size, embedding_size=embedding_size)
        if vectors is not None:
            check_choice("vectors", vectors, VECTORS)
        _check_tags(num_tags, tags, scheme)
        check_probability("word_dropout", word_dropout)
        if num_characters is not None:
            check_counts(num_characters=num_characters)
        if characters is not None and num_characters is None:
            raise ValueError("characters need their number: give num_characters")
        self.vocab_size, self.num_tags, self.word_dropout = vocab_size, num_tags, word_dropout
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)
        self.embedding.weight.requires_grad_(vectors != "frozen")
        self.spelling = None if characters is None else character_encoder(num_characters or 0, characters)
        width = embedding_size + (self.spelling.output_size if self.spelling else 0)
        self.network = as_network(rnn, width)
        self.input_dropout, self.output_dropout = (make_dropout(dropout, locked=True) for _ in range(2))
        self.emissions = nn.Linear(self.network.output_size, num_tags)
        self.output = make_output(num_tags, span_constraints(tags or (), scheme) if scheme else None)
        self.add_metrics(**dict.fromkeys(GROUPS, MeanMetric))
        if scheme:
            self.add_metrics(spans=lambda: SpanF1(tags or (), scheme))

    def run(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Scores (B, T, L) of the tags of each of ``inputs`` (B, T) or (B, T, 1 + C), and the state after the last real one."""
        hidden, after = self.network(self.input_dropout(self.embed(inputs)), lengths, state)
        return self.emissions(self.output_dropout(hidden)), after

    def embed(self, inputs: Tensor) -> Tensor:
        """Words (B, T) or (B, T, 1 + C) as vectors (B, T, E + K)."""
        words = words_of(inputs)
        if self.training and self.word_dropout:
            dropped = torch.rand(words.shape, device=words.device) < self.word_dropout
            words = words.masked_fill(dropped, UNKNOWN_WORD)
        embedded = self.embedding(words)
        if self.spelling is None:
            return embedded
        return torch.cat([embedded, self.spelling.read_each_once(inputs[:, :, 1:])], 2)

    def check_inputs(self, inputs: Tensor, lengths: Tensor | None) -> None:
        check_tensors(inputs=inputs)
        shapes = (3,) if self.spelling else (2, 3)
        if inputs.dtype != torch.int64 or inputs.dim() not in shapes or (inputs.dim() == 3 and inputs.shape[2] == 0):
            shape = "(B, T, 1 + C), words and their characters" if self.spelling else "(B, T) or (B, T, 1 + C)"
            raise ValueError(f"inputs must be int64 of shape {shape}, not {inputs.dtype} of shape {tuple(inputs.shape)}")
        check_range("word", words_of(inputs), self.embedding.num_embeddings, lengths=lengths)
        if self.spelling:
            check_range("character", inputs[:, :, 1:], self.spelling.vocab_size, lengths=lengths)

    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        if batch.targets.shape != batch.inputs.shape[:2]:
            raise ValueError(f"targets must be one a word, {tuple(batch.inputs.shape[:2])}, not {tuple(batch.targets.shape)}")
        check_no_target_lengths(batch)
        targets = real_targets(batch.targets, batch.lengths, self.num_tags)
        emissions, _ = self(batch.inputs, batch.lengths)
        counted = targets != IGNORED
        count = int(counted.sum())
        if not count:
            return emissions.sum() * 0.0, 0
        if split != "train":
            tags = self.output.decode(emissions, batch.lengths)
            self._count(split, (tags == targets)[counted], words_of(batch.inputs)[counted] == UNKNOWN_WORD)
            for spans in self.spans_of(split):
                spans.update(tags, targets, batch.lengths)
        return self.output.loss(emissions, targets, batch.lengths).sum() / count, count

    def _count(self, split: str, right: Tensor, unknown: Tensor) -> None:
        """Count what is ``right`` (N,), of all words, of the known and of the ``unknown`` (N,)."""
        for group, chosen in zip(GROUPS, (right, right[~unknown], right[unknown]), strict=True):
            self.metric(split, group).update(chosen.float())

    def spans_of(self, split: str) -> list[SpanF1]:
        """What counts the spans of ``val`` or ``test``; nothing where tags mark none."""
        return [cast(SpanF1, metric) for name, metric in self.metrics_of(split).items() if name == "spans"]

    def epoch_values(self, split: str) -> dict[str, Any]:
        values = super().epoch_values(split)
        if any(values[group].isnan() for group in GROUPS):  # without unknown words there is nothing to tell apart
            values = {name: value for name, value in values.items() if name not in GROUPS[1:]}
        spans = values.pop("spans", None)
        if spans is None:
            return values
        overall = spans.overall
        scores = {"f1": overall.f1, "precision": overall.precision, "recall": overall.recall}
        return values | {name: value.float() for name, value in scores.items()}

    def predict_on(self, batch: Batch) -> Tensor:
        return self.tag(batch.inputs, batch.lengths)

    @torch.no_grad()
    def tag(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The likeliest tags (B, T) of ``inputs`` as ``forward`` reads them, `IGNORED` behind each row's length."""
        emissions, _ = self(inputs, lengths)
        return self.output.decode(emissions, lengths)

    @torch.no_grad()
    def load_vectors(self, matrix: Tensor, found: Tensor) -> None:
        """Start the words that were ``found`` (V,) from their vectors ``matrix`` (V, E).

        Raises:
            ValueError: for a matrix of another shape than the embedding's.
        """
        check_tensors(matrix=matrix, found=found)
        weight = self.embedding.weight
        if matrix.shape != weight.shape:
            raise ValueError(f"vectors must have the embedding's shape {tuple(weight.shape)}, not {tuple(matrix.shape)}")
        weight[found] = matrix[found].to(weight)


def _check_tags(num_tags: int, tags: Sequence[str] | None, scheme: str | None) -> None:
    if tags is not None:
        check_names("tags", tags, count=num_tags)
    elif scheme is not None:
        raise ValueError(f"scheme {shown(scheme)} needs tags, the names of all {num_tags}, not None")
    if scheme is not None:
        check_choice("scheme", scheme, sorted(SCHEMES))


def words_of(inputs: Tensor) -> Tensor:
    """The words (B, T) of ``inputs`` (B, T) or (B, T, 1 + C)."""
    return inputs if inputs.dim() == 2 else inputs[:, :, 0]
