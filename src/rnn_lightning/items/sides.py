"""The target side of encoder-decoders: texts of tokens, and tokens of texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..checks import shown
from ..label_names import labels_of_text, text_of_labels
from ..symbols import UNKNOWN_TOKEN
from .pieces import token_texts
from .scores import Target, unknown_in

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class Side:
    """``decode`` makes a text of tokens, ``encode`` tokens of a text, without the one that ends it; ``names`` are the tokens'
    names by number, ``texts`` what people read in their place; ``unknown`` gives the parts of a text that the vocabulary lacks,
    where ``encode`` does not refuse them. ``silent`` are tokens that name no part of a text, ``<unk>``."""

    decode: Callable[[list[int]], str]
    encode: Callable[[str], list[int]]
    names: Sequence[str]
    texts: Sequence[str]
    unknown: Callable[[str], list[str]] = lambda _: []
    silent: Sequence[int] = ()

    def encode_known(self, text: str) -> list[int]:
        """The tokens of a text that the vocabulary can spell.

        Raises:
            ValueError: where it cannot.
        """
        if unknown := self.unknown(text):
            raise ValueError(f"the vocabulary lacks {', '.join(map(repr, unknown))}, which {shown(text)} has")
        return self.encode(text)

    def target(self, text: str) -> Target:
        """A text to be scored."""
        return Target(self.encode(text), self.unknown(text))


def tokenizer_side(tokenizer: "Tokenizer") -> Side:
    """The side of texts that a tokenizer reads."""

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids

    names = [tokenizer.id_to_token(token) or "" for token in range(tokenizer.get_vocab_size())]
    silent = [number for number, name in enumerate(names) if name == UNKNOWN_TOKEN]
    return Side(tokenizer.decode, encode, names, token_texts(tokenizer), partial(unknown_in, tokenizer), silent)


def labels_side(names: Sequence[str], unit: str) -> Side:
    """The side of target tokens that have ``names``, in their ``unit``."""
    return Side(partial(text_of_labels, names, unit), partial(labels_of_text, names, unit), names, names)
