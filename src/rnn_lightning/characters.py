"""Words from their characters, so that a word never seen before still says something.

Shapes: N words, C characters of the longest, E features of a character, K features of a word, B rows, T steps.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .recurrent import recurrent
from .sequences import PADDING, last_outputs


class CharacterEncoder(nn.Module, ABC):
    """A vector for each word, made of its characters; the padding behind them changes nothing.

    ``forward`` reads ``characters`` (N, C), filled up with `PADDING`, and makes (N, K); a word without characters is zero.
    """

    output_size: int

    def __init__(self, vocab_size: int, embedding_size: int) -> None:
        super().__init__()
        for name, size in {"vocab_size": vocab_size, "embedding_size": embedding_size}.items():
            if size < 1:
                raise ValueError(f"characters' {name} must be at least 1, not {size}")
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)

    def forward(self, characters: Tensor) -> Tensor:
        if characters.numel() == 0:
            return self.embedding.weight.new_zeros(len(characters), self.output_size)
        return self.read(self.embedding(characters), characters != PADDING)

    @abstractmethod
    def read(self, embedded: Tensor, real: Tensor) -> Tensor:
        """What ``forward`` promises, from ``embedded`` (N, C, E), where ``real`` (N, C) is true for a word's own characters."""

    def read_each_once(self, characters: Tensor) -> Tensor:
        """``characters`` (B, T, C) as (B, T, K): words that occur several times are read once."""
        if characters.numel() == 0:
            return self.embedding.weight.new_zeros(*characters.shape[:2], self.output_size)
        words, places = characters.flatten(0, 1).unique(dim=0, return_inverse=True)  # (N, C), (B * T,)
        return F.embedding(places.view(characters.shape[:2]), self(words))


class RecurrentCharacters(CharacterEncoder):
    """What a recurrent network has read at a word's end, or where it reads both ways at both (Ling et al. 2015, EMNLP)."""

    def __init__(self, vocab_size: int, *, rnn: dict[str, Any], embedding_size: int = 50) -> None:
        """``rnn`` are keywords of ``recurrent`` without ``input_size``."""
        super().__init__(vocab_size, embedding_size)
        self.network = recurrent(input_size=embedding_size, **rnn)
        self.output_size = self.network.output_size

    def read(self, embedded: Tensor, real: Tensor) -> Tensor:
        lengths = real.sum(1)
        outputs, _ = self.network(embedded, lengths)
        return last_outputs(outputs, lengths, bidirectional=self.network.bidirectional)


class ConvolvedCharacters(CharacterEncoder):
    """The strongest answer of each filter anywhere in the word (Kim et al. 2016, arXiv:1508.06615; Ma and Hovy 2016).

    A filter of width w sees w characters at a time, and zeros beyond both ends of the word.
    """

    def __init__(self, vocab_size: int, *, filters: int = 50, widths: Sequence[int] = (3,), embedding_size: int = 50) -> None:
        """``filters`` of each of the ``widths``."""
        super().__init__(vocab_size, embedding_size)
        if filters < 1 or not widths or min(widths) < 1:
            raise ValueError(f"filters must be at least 1, widths a list of at least 1 each, not {filters} and {list(widths)}")
        self.layers = nn.ModuleList(nn.Conv1d(embedding_size, filters, width, padding="same") for width in widths)
        self.output_size = filters * len(widths)

    def read(self, embedded: Tensor, real: Tensor) -> Tensor:
        padding = ~real.unsqueeze(1)  # (N, 1, C)
        embedded = embedded.transpose(1, 2).masked_fill(padding, 0)  # (N, E, C)
        answers = torch.cat([cast(Tensor, layer(embedded)) for layer in self.layers], 1)
        return answers.masked_fill(padding, -torch.inf).amax(2).clamp(min=0)


KINDS: dict[str, type[RecurrentCharacters] | type[ConvolvedCharacters]] = {
    "rnn": RecurrentCharacters,
    "cnn": ConvolvedCharacters,
}


def character_encoder(vocab_size: int, settings: dict[str, Any]) -> CharacterEncoder:
    """The encoder ``settings["kind"]`` of `KINDS`; the other keys are its keyword arguments.

    Raises:
        ValueError: for an unknown kind or key, or a bad size.
    """
    told = dict(settings)
    kind = told.pop("kind", None)
    if kind not in KINDS:
        raise ValueError(f"characters' kind must be one of {sorted(KINDS)}, not {kind!r}")
    try:
        return KINDS[kind](vocab_size, **told)
    except TypeError as error:
        raise ValueError(f"characters of kind {kind!r}: {error}") from None
