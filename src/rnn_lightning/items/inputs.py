"""Raw items to inputs of a network: text and token numbers, sounds, pen strokes, pictures, arrays.

Shapes: T steps, F features.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks import LARGEST, check_all_numbers, is_whole, shown
from .folders import file_in, read_tokenizer
from .texts import from_base64, from_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from ..corpora.corpus import Signal

SHOWN = 60
"""Characters of a wrong item that an error shows."""


class Encoded(NamedTuple):
    """An item as a network reads it: ``steps`` (T, ...), and the ``source`` that answers refer to, words or times."""

    steps: NDArray[Any]
    source: Any = None


NOTHING = Encoded(np.zeros(0, np.float32))
"""An item without a step, such as an empty line."""


def padded_steps(batch: Sequence[Encoded]) -> tuple[NDArray[Any], list[int]]:
    """The steps of a batch side by side (B, T, ...), filled up with zeros, and their lengths."""
    steps = [item.steps for item in batch]
    sizes = [max(sizes) for sizes in zip(*(row.shape for row in steps), strict=True)]
    padded = np.zeros((len(steps), *sizes), steps[0].dtype)
    for number, row in enumerate(steps):
        padded[(number, *map(slice, row.shape))] = row
    return padded, [len(row) for row in steps]


class Inputs(ABC):
    """What encodes raw items for a network."""

    packages: tuple[str, ...] = ()
    """The packages that it takes besides those of the library."""
    tokenizer: "Tokenizer | None" = None
    """What made the tokens of texts, where these are read."""
    takes_files = False
    """Whether a string names a file, whose bytes may be given instead."""

    def from_request(self, item: str) -> Any:
        """The item that a string of a request to a server is, which names no file there: the bytes of one in base64.

        Raises:
            ValueError: for other text in the place of these.
        """
        return from_base64(item) if self.takes_files else item

    @abstractmethod
    def encode(self, item: Any) -> Encoded:
        """An item as a network reads it; nothing for an empty string.

        Raises:
            ValueError: where it is no such item.
        """


class TextInputs(Inputs):
    """Text to tokens; a text of nothing but white space is empty."""

    packages = ("tokenizers",)

    def __init__(self, tokenizer: "Tokenizer") -> None:
        self.tokenizer = tokenizer
        self.tokens_of = tokenizer.encode

    def encode(self, item: str) -> Encoded:
        return Encoded(np.array(self.tokens_of(item).ids)) if item.strip() else NOTHING


class TokenInputs(Inputs):
    """Numbers of tokens, 0 to ``size`` - 1: a list, or a string of them with white space or commas between."""

    def __init__(self, size: int) -> None:
        self.size = size

    def encode(self, item: Any) -> Encoded:
        tokens = token_numbers(item)
        if wrong := [token for token in tokens if not 0 <= token < self.size]:
            raise ValueError(f"token {wrong[0]} is none of 0..{self.size - 1}")
        return Encoded(np.array(tokens)) if tokens else NOTHING


def token_numbers(item: Any) -> list[int]:
    """The whole numbers of a list, or of a string of digits with white space or commas between, in brackets or without.

    Raises:
        ValueError: for anything else; a boolean or 3.0 is no whole number.
    """
    if isinstance(item, str):
        text = item.strip()
        inside = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
        parts = inside.replace(",", " ").split()
        if all(part.isascii() and part.removeprefix("-").isdigit() for part in parts):
            return [int(part) for part in parts]
    elif isinstance(item, Iterable):
        numbers = getattr(item, "tolist", lambda: list(item))()
        if isinstance(numbers, list) and all(is_whole(number, least=-LARGEST) for number in numbers):
            return [int(number) for number in numbers]
    raise ValueError(f"it is no list of token numbers: {str(item)[:SHOWN]!r}")


class ArrayInputs(Inputs):
    """Features (T, F) themselves, F = ``size``: an array, lists, or JSON of lists.

    ``features`` are their names, or say how the corpus computes them.
    """

    def __init__(self, size: int, features: Sequence[str] | Mapping[str, Any] | None = None) -> None:
        self.size = size
        self.what = f"an array of {size} features a step, [[...], ...]" + (f", which are {shown(features)}" if features else "")

    def encode(self, item: Any) -> Encoded:
        if isinstance(item, str):
            if not item.strip():
                return NOTHING
            item = from_json(item, self.what)
        return Encoded(self.features(item))

    def features(self, values: Any) -> NDArray[np.float32]:
        from ..corpora.examples import features_of

        check_all_numbers(values)
        try:
            return features_of(values, self.size)
        except (TypeError, OverflowError, RuntimeError):
            raise ValueError("it is no array of numbers that single precision holds") from None


class SignalInputs(ArrayInputs):
    """Items of a form of their own, from which ``read`` makes features (T, F), with the times of the steps where these have
    some. A NumPy array is taken as the features themselves; a string, where ``takes_files``, as the name of a file."""

    def __init__(
        self, size: int, read: Callable[[Any], "Signal"], *, takes_files: bool, packages: tuple[str, ...] = ()
    ) -> None:
        super().__init__(size)
        self.read, self.takes_files, self.packages = read, takes_files, packages

    def encode(self, item: Any) -> Encoded:
        if isinstance(item, np.ndarray):
            return Encoded(self.features(item))
        if isinstance(item, str) and not item.strip():
            return NOTHING
        signal = self.read(self.file(item) if self.takes_files and not isinstance(item, bytes) else item)
        return Encoded(self.features(signal.features), signal.seconds)

    @staticmethod
    def file(name: str | Path) -> bytes:
        try:
            return Path(name).read_bytes()
        except (OSError, ValueError) as error:
            raise ValueError(f"there is no such file to read: {error}") from None


def make_inputs(settings: Mapping[str, Any], folder: str | Path, size: int) -> Inputs:
    """What encodes items as the corpus with these ``settings`` did: ``{"name": "sound", "sampling_rate": 8000, ...}``.

    Args:
        folder: where a tokenizer lies.
        size: the features of a step, or how many tokens there are.

    Raises:
        ValueError: for an unknown name.
    """
    keywords = dict(settings)
    name = keywords.pop("name", None)
    if not isinstance(name, str) or name not in INPUTS:
        raise ValueError(f"inputs must be one of {sorted(INPUTS)}, not {name!r}")
    try:
        return INPUTS[name](keywords, Path(folder), size)
    except (KeyError, TypeError) as error:
        raise ValueError(f"inputs {name!r} of {folder} have settings that do not fit: {error}") from None


def _tokenizer(folder: Path, *, tokenizer: Any) -> "Tokenizer":
    return read_tokenizer(file_in(folder, tokenizer))


def _with(keywords: dict[str, Any], read: Callable[..., "Signal"]) -> Callable[[Any], "Signal"]:
    """``read`` with its ``keywords``, which are known to it."""
    signature(read).bind(None, **keywords)
    return partial(read, **keywords)


def _sound(keywords: dict[str, Any], folder: Path, size: int) -> Inputs:
    from ..audio import Spectra
    from ..corpora.signals import sound_of

    packages = ("soundfile", "kaldi-native-fbank")
    return SignalInputs(size, partial(sound_of, spectra=Spectra(**keywords)), takes_files=True, packages=packages)


def _strokes(keywords: dict[str, Any], folder: Path, size: int) -> Inputs:
    from ..corpora.signals import trajectory_of

    read = _with(keywords, trajectory_of)

    def checked(item: Any) -> "Signal":
        strokes = from_json(item, "strokes, [[[x, y], ...], ...]") if isinstance(item, str) else item
        check_all_numbers(strokes)
        return read(strokes)

    return SignalInputs(size, checked, takes_files=False)


def _picture(keywords: dict[str, Any], folder: Path, size: int) -> Inputs:
    from ..corpora.images import picture_of

    return SignalInputs(size, _with(keywords, picture_of), takes_files=True, packages=("pillow",))


INPUTS: dict[str, Callable[[dict[str, Any], Path, int], Inputs]] = {
    "text": lambda keywords, folder, size: TextInputs(_tokenizer(folder, **keywords)),
    "tokens": lambda keywords, folder, size: TokenInputs(size, **keywords),
    "arrays": lambda keywords, folder, size: ArrayInputs(size, **keywords),
    "sound": _sound,
    "strokes": _strokes,
    "picture": _picture,
}
