"""The target side of encoder-decoders: texts of tokens and tokens of texts; which runs fit together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..checks import check_number, shown
from ..inference import prepared
from ..items.folders import file_in, read_description, read_tokenizer, settings_of
from ..items.inputs import make_inputs
from ..items.pieces import token_texts
from ..items.scores import Target, unknown_in
from ..label_names import labels_of_text
from ..models import LanguageModel, Seq2Seq
from .base import load_system

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class Side:
    """``decode`` makes a text of tokens, ``encode`` tokens of a text, without the one that ends it; ``names`` are the tokens'
    names by number, ``texts`` what people read in their place; ``unknown`` gives the parts of a text that the vocabulary lacks,
    where ``encode`` does not refuse them."""

    decode: Callable[[list[int]], str]
    encode: Callable[[str], list[int]]
    names: Sequence[str]
    texts: Sequence[str]
    unknown: Callable[[str], list[str]] = lambda _: []

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
    return Side(tokenizer.decode, encode, names, token_texts(tokenizer), partial(unknown_in, tokenizer))


def text_sides(folder: str | Path) -> "tuple[Tokenizer, Side]":
    """The source's tokenizer and the target's side of a run that translates text."""
    settings = read_description(folder)
    source, target = (read_tokenizer(file_in(folder, settings.get(name))) for name in ("tokenizer", "target_tokenizer"))
    return source, tokenizer_side(target)


def labels_side(system: Seq2Seq) -> Side:
    """The side of a system whose target tokens have names."""
    names, unit = system.labels or [], str(system.unit)
    return Side(system.text, partial(labels_of_text, names, unit), names, names)


class Shared(NamedTuple):
    """What all networks of an ensemble must have in common: how a ``source`` is read, the names of the ``target`` tokens."""

    source: Any
    target: Sequence[str]

    def check(self, folder: str, own: "Shared") -> None:
        """Refuse the run of ``folder``, whose ``own`` are others.

        Raises:
            ValueError: naming the folder.
        """
        for side, mine, theirs in zip(self._fields, self, own, strict=True):
            if theirs != mine:
                raise ValueError(
                    f"the runs of an ensemble must read and write the same tokens, and the {side} of {folder} has others than "
                    "that of the first: take runs of one corpus"
                )


def language_model_of(fusion: Any, target: Side) -> tuple[LanguageModel, float]:
    """The language model of ``{"run": FOLDER, "weight": 0.3}``, and its weight.

    Raises:
        ValueError: for other settings, or a language model whose tokens are not those of the ``target`` by the same numbers.
    """
    if not isinstance(fusion, Mapping) or set(fusion) != {"run", "weight"} or not isinstance(fusion["run"], str):
        given = dict(fusion) if isinstance(fusion, Mapping) else fusion
        raise ValueError(f"fusion must be {{run: FOLDER of a language model, weight: 0.3}}, not {shown(given)}")
    folder, weight = str(fusion["run"]), fusion["weight"]
    check_number("fusion: weight", weight, least=0)
    model = prepared(load_system(LanguageModel, folder))
    tokenizer = make_inputs(settings_of(folder, "inputs"), folder, model.vocab_size).tokenizer
    if tokenizer is None or list(tokenizer_side(tokenizer).names) != list(target.names):
        raise ValueError(
            f"fusion: the language model of {folder} has other tokens than the translations: train it on a corpus of kind Text "
            "whose tokenizer is the target_tokenizer.json of the run"
        )
    return model, float(weight)
