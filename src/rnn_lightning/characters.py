"""Character-level encoders: a vector for each word from its characters, also for words outside the vocabulary.

Shapes: N words, C characters of the longest, E features of a character, K features of a word, B rows, T steps.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checks import check_counts, is_whole, shown
from .exporting import exportable
from .recurrent import build_network
from .registry import build
from .sequences import PADDING, check_memory, last_outputs


class CharacterEncoder(nn.Module, ABC):
    """An encoder of words: characters (N, C) to vectors (N, K); the padding behind the characters changes nothing.

    ``forward`` reads ``characters`` (N, C), filled up with `PADDING`, and makes (N, K); a word without characters is zero.
    """

    output_size: int
    _known: Callable[[Tensor], Tensor] | None = None

    def __init__(self, vocab_size: int, embedding_size: int) -> None:
        super().__init__()
        check_counts(vocab_size=vocab_size, embedding_size=embedding_size)
        check_memory(vocab_size=vocab_size, embedding_size=embedding_size)
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)

    def forward(self, characters: Tensor) -> Tensor:
        if characters.numel() == 0:
            return self.embedding.weight.new_zeros(characters.shape[0], self.output_size)
        return self.read(self.embedding(characters), characters != PADDING)

    @abstractmethod
    def read(self, embedded: Tensor, real: Tensor) -> Tensor:
        """The vectors (N, K) of ``embedded`` (N, C, E); ``real`` (N, C) is true for a word's own characters."""

    def read_each_once(self, characters: Tensor) -> Tensor:
        """The vectors (B, T, K) of ``characters`` (B, T, C); a word that occurs several times is computed once."""
        if torch.compiler.is_exporting():
            return self(exportable(characters).flatten(0, 1)).unflatten(0, characters.shape[:2])
        if characters.numel() == 0:
            return self.embedding.weight.new_zeros(*characters.shape[:2], self.output_size)
        if self._known is not None:
            return self._known(characters.flatten(0, 1)).view(*characters.shape[:2], -1)
        words, index = characters.flatten(0, 1).unique(dim=0, return_inverse=True)  # (N, C), (B * T,)
        return F.embedding(index.view(characters.shape[:2]), self(words))

    @contextmanager
    def reading(self, characters: Tensor) -> Iterator[None]:
        """A block in which `read_each_once` reads no other words than those of ``characters`` (N, C), whose vectors are made
        at its beginning, all at once; the weights stay the same in it."""
        padded = torch.cat([characters, torch.full_like(characters[:1], PADDING)])
        first = {key: place for place, key in reversed([*enumerate(spellings(padded))])}
        places = {key: place for place, key in enumerate(first)}
        table = self(padded[[*first.values()]])
        self._known = lambda read: table[[places[key] for key in spellings(read)]]
        try:
            yield
        finally:
            self._known = None


def spellings(characters: Tensor) -> list[bytes]:
    """The characters (N, C) of each word in bytes, however many of `PADDING`, which is 0, are behind them."""
    return [row.tobytes().rstrip(b"\0") for row in characters.cpu().numpy()]


class RecurrentCharacters(CharacterEncoder):
    """The last outputs of a recurrent network over the characters, one for each direction (Ling et al. 2015, EMNLP)."""

    def __init__(self, vocab_size: int, *, rnn: dict[str, Any], embedding_size: int = 50) -> None:
        """``rnn`` are keywords of ``build_network`` without ``input_size``."""
        super().__init__(vocab_size, embedding_size)
        self.network = build_network(input_size=embedding_size, **rnn)
        self.output_size = self.network.output_size

    def read(self, embedded: Tensor, real: Tensor) -> Tensor:
        lengths = real.sum(1)
        outputs, _ = self.network(embedded, lengths)
        return last_outputs(outputs, lengths, bidirectional=self.network.bidirectional)


class ConvolvedCharacters(CharacterEncoder):
    """Convolution and max pooling over the characters of a word (Kim et al. 2016, arXiv:1508.06615; Ma and Hovy 2016).

    A filter of width w sees w characters at a time, and zeros beyond both ends of the word.
    """

    def __init__(self, vocab_size: int, *, filters: int = 50, widths: Sequence[int] = (3,), embedding_size: int = 50) -> None:
        """``filters`` of each of the ``widths``."""
        super().__init__(vocab_size, embedding_size)
        check_counts(filters=filters)
        if not isinstance(widths, Sequence) or not widths or not all(is_whole(width, 1) for width in widths):
            raise ValueError(f"widths must be whole numbers of at least 1, one or more, not {shown(widths)}")
        check_memory(filters=filters, width=sum(widths), embedding_size=embedding_size)
        self.layers = nn.ModuleList(nn.Conv1d(embedding_size, filters, width, padding="same") for width in widths)
        self.output_size = filters * len(widths)

    def read(self, embedded: Tensor, real: Tensor) -> Tensor:
        padding = ~real.unsqueeze(1)  # (N, 1, C)
        embedded = exportable(embedded.transpose(1, 2)).masked_fill(padding, 0)  # (N, E, C)
        responses = torch.cat([cast(Tensor, layer(embedded)) for layer in self.layers], 1)
        return responses.masked_fill(padding, -torch.inf).amax(2).clamp(min=0)


CHARACTER_ENCODERS: dict[str, type[RecurrentCharacters] | type[ConvolvedCharacters]] = {
    "rnn": RecurrentCharacters,
    "cnn": ConvolvedCharacters,
}


def character_encoder(vocab_size: int, settings: Mapping[str, Any]) -> CharacterEncoder:
    """The encoder ``settings["name"]`` of `CHARACTER_ENCODERS`; the other keys are its keyword arguments.

    Checkpoints and configurations from before ``name`` have ``kind`` in its place.

    Raises:
        ValueError: for an unknown name or key, or a bad size.
    """
    if not isinstance(settings, Mapping):
        raise ValueError(f"characters must be {{name: ..., ...}}, not {shown(settings)}")
    if "name" not in settings:
        settings = {"name" if key == "kind" else key: value for key, value in settings.items()}
    return build("characters", CHARACTER_ENCODERS, settings, vocab_size)
