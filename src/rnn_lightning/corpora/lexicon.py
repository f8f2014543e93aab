"""The lexicon of a tagged corpus: its words, characters and tags, and their numbers.

Shapes: R sentences, N words.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..symbols import UNKNOWN_CHARACTER, UNKNOWN_WORD
from .corpus import CorpusError, Pairs
from .files import read_json

LEXICON = "lexicon.json"
LONGEST_WORD = 40


@dataclass(frozen=True)
class Lexicon:
    """The words, characters and tags of a training split, from frequent to rare, equals by their text; the tags by theirs,
    those that only other splits have last.

    Word w is ``words[w - 1]``, character c is ``characters[c - 2]``, tag t is ``tags[t]``. With ``lowercase`` words are looked
    up in lower case, but spelled as they are. Of a word of more than ``longest_word`` characters the middle is not spelled.
    """

    words: list[str]
    characters: list[str]
    tags: list[str]
    lowercase: bool = False
    longest_word: int = LONGEST_WORD

    @classmethod
    def learn(
        cls,
        words: Iterable[str] | Mapping[str, int],
        tags: Iterable[str],
        *,
        lowercase: bool = False,
        min_frequency: int = 1,
        longest_word: int = LONGEST_WORD,
    ) -> "Lexicon":
        """The lexicon of all ``words``, or of how often each occurs, and all ``tags`` of a training split; words rarer than
        ``min_frequency`` are `UNKNOWN_WORD`."""
        counts = Counter(words)
        known, spelled = Counter[str](), Counter[str]()
        for word, times in counts.items():
            known[word.lower() if lowercase else word] += times
            for character in word:
                spelled[character] += times
        frequent = [word for word in ranked(known) if known[word] >= min_frequency]
        return cls(frequent, ranked(spelled), sorted(set(tags)), lowercase, longest_word)

    @classmethod
    def read(cls, file: Path) -> "Lexicon":
        """The lexicon in ``file``.

        Raises:
            CorpusError: where there is none.
        """
        try:
            return cls(**read_json(file))
        except TypeError as error:
            raise CorpusError(f"{file} is no lexicon: {error}") from None

    def text(self) -> str:
        """The content of the file that ``read`` reads."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=0) + "\n"

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The numbers of words, characters and tags, the reserved ones included."""
        return len(self.words) + 1, len(self.characters) + 2, len(self.tags)

    @cached_property
    def _words(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, start=1)}

    @cached_property
    def _characters(self) -> dict[str, int]:
        return {character: number for number, character in enumerate(self.characters, start=2)}

    @cached_property
    def _tags(self) -> dict[str, int]:
        return {tag: number for number, tag in enumerate(self.tags)}

    def encode(self, sentences: Sequence[Sequence[str]]) -> Pairs:
        """The arrays of untagged ``sentences`` (R,); each row has the target 0."""
        words = list(chain.from_iterable(sentences))
        looked_up = map(str.lower, words) if self.lowercase else words
        numbers = np.fromiter((self._words.get(word, UNKNOWN_WORD) for word in looked_up), np.int32, len(words))
        spelled = [shortened(word, self.longest_word) for word in words]
        read = (self._characters.get(character, UNKNOWN_CHARACTER) for character in chain.from_iterable(spelled))
        ends = offsets_of(spelled)
        characters = np.fromiter(read, np.int32, int(ends[-1]))
        return Pairs(numbers, offsets_of(sentences), np.zeros(len(sentences), np.int32), None, characters, ends)

    def encode_tags(self, tags: Sequence[str]) -> NDArray[np.int32]:
        """The numbers (N,) of ``tags``, all of which must be in the lexicon."""
        return np.fromiter((self._tags[tag] for tag in tags), np.int32, len(tags))


def offsets_of(parts: Iterable[Sized]) -> NDArray[np.int64]:
    """The offsets (R + 1,) of concatenated ``parts`` (R,)."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.fromiter(map(len, parts), np.int64))])


def ranked(counts: Counter[str]) -> list[str]:
    """The entries from frequent to rare, equals by their text."""
    return sorted(counts, key=lambda entry: (-counts[entry], entry))


def shortened(word: str, longest: int) -> str:
    """The word, or its beginning and its end where it has more than ``longest`` characters."""
    end = longest // 2
    return word if len(word) <= longest else word[: longest - end] + word[len(word) - end :]
