"""The target side of encoder-decoders: texts of tokens, and tokens of texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..checks import shown
from ..label_names import labels_of_text, text_of_labels
from ..symbols import UNKNOWN_TOKEN

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class Side:
    """``decode`` makes a text of tokens, ``encode`` tokens of a text, without the one that ends it; ``names`` are the tokens'
    names by number, ``unknown`` the token of what the vocabulary lacks."""

    decode: Callable[[list[int]], str]
    encode: Callable[[str], list[int]]
    names: Sequence[str]
    unknown: int | None = None

    def encode_known(self, text: str) -> list[int]:
        """The tokens of a text that the vocabulary can spell.

        Raises:
            ValueError: where it cannot.
        """
        tokens = self.encode(text)
        if self.unknown is not None and self.unknown in tokens:
            raise ValueError(f"the vocabulary lacks a word or a character of {shown(text)}")
        return tokens


def tokenizer_side(tokenizer: "Tokenizer") -> Side:
    """The side of texts that a tokenizer reads."""

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids

    names = [tokenizer.id_to_token(token) or "" for token in range(tokenizer.get_vocab_size())]
    return Side(tokenizer.decode, encode, names, tokenizer.token_to_id(UNKNOWN_TOKEN))


def labels_side(names: Sequence[str], unit: str) -> Side:
    """The side of target tokens that have ``names``, in their ``unit``."""
    return Side(partial(text_of_labels, names, unit), partial(labels_of_text, names, unit), names)
