"""A tag for every word: parts of speech, named entities.

Shapes: B rows, T steps, C characters of the longest word, E features of a word, K of its spelling, V words, L tags.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..characters import character_encoder
from ..checks import check_choice, check_counts, check_names, check_probability, shown
from ..products import Linear
from ..recurrent import Recurrent, as_network
from ..registry import choose
from ..regularize import make_dropout
from ..sequences import State, check_memory, check_tensors
from ..symbols import UNKNOWN_WORD
from ..tag_schemes import SCHEMES, span_constraints
from .class_weights import as_weights
from .inputs import check_range
from .model import Model
from .tag_output import OUTPUTS

VECTORS = ("tuned", "frozen")


class Tagger(Model):
    """A recurrent network over words and their spelling (Ling et al. 2015; Plank et al. 2016, arXiv:1604.05529).

    A word is its embedding and, with ``characters``, what an encoder makes of its spelling, side by side. Inputs are words
    (B, T), or words with their characters (B, T, 1 + C) as ``PairModule`` yields them; a tagger without ``characters`` reads
    the words of these alone. The word 0 stands for all unknown ones.

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
        class_weights: L numbers, by which the words of each tag count in the loss of a training, and in no other loss or
            metric; ``None``: all alike. `balanced_weights` makes some. Only where each step is on its own (``softmax``).

    Raises:
        ValueError: for a bad size or name, ``characters`` without their number, or a scheme without its tags.
    """

    class_weights: Tensor | None

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
        class_weights: Sequence[float] | None = None,
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
        self.emissions = Linear(self.network.output_size, num_tags)
        self.output = make_output(num_tags, span_constraints(tags or (), scheme) if scheme else None)
        if class_weights is not None and output != "softmax":
            raise ValueError(
                f"class_weights need output='softmax', whose loss is one of words: {output} scores whole sequences"
            )
        self.register_buffer("class_weights", as_weights(class_weights, num_tags), persistent=False)
        self.tags, self.scheme = tuple(tags or ()), scheme
        self.complete()

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

    @torch.no_grad()
    def tag(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The likeliest tags (B, T) of ``inputs`` as ``forward`` reads them, `IGNORED` behind each row's length."""
        emissions, _ = self(inputs, lengths)
        return self.output.decode(emissions, lengths)

    @torch.no_grad()
    def tag_with_confidence(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The tags (B, T) of ``tag``, and the marginal probability (B, T) of each, zero behind a row's length.

        Of a CRF it is that of all sequences with this tag at this step, which need not be its highest there.
        """
        emissions, _ = self(inputs, lengths)
        tags, marginals = self.output.decode(emissions, lengths), self.output.marginals(emissions, lengths)
        return tags, marginals.gather(2, tags.clamp(min=0).unsqueeze(2)).squeeze(2)


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
