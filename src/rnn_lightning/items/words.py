"""Words of a line to arrays, and the tags of these as an answer.

Shapes: T words, C characters of the longest.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..checks import check_choice
from ..tag_schemes import spans_of
from .base import Answer, Answerer
from .inputs import NOTHING, Encoded, Inputs

if TYPE_CHECKING:
    from ..corpora.lexicon import Lexicon

TOKENS = ("simple", "blanks")
"""How a line is split into words."""
WORD = re.compile(r"\w+|[^\w\s]")
JOINERS = "\u200c\u200d"
"""Signs without a width that stand within words of Persian and of Indian scripts."""


class WordInputs(Inputs):
    """Words and their spelling by a lexicon.

    Words are given as a list, or as a line, split as ``tokens`` says: ``simple`` as ``simple_words`` does, ``blanks`` at
    white space.
    """

    def __init__(self, lexicon: "Lexicon", tokens: Literal["simple", "blanks"] = "simple") -> None:
        check_choice("tokens", tokens, TOKENS)
        self.lexicon, self.tokens = lexicon, tokens

    def encode(self, item: str | Sequence[str]) -> Encoded:
        words = list(item) if not isinstance(item, str) else simple_words(item) if self.tokens == "simple" else item.split()
        if not words:
            return NOTHING
        rows = self.lexicon.encode([words])
        assert rows.characters is not None and rows.character_offsets is not None
        sizes = np.diff(rows.character_offsets[:])[:, None]  # (T, 1)
        steps = np.zeros((len(words), 1 + sizes.max()), np.int64)  # (T, 1 + C)
        steps[:, 0] = rows.inputs[:]
        steps[:, 1:][np.arange(sizes.max()) < sizes] = rows.characters[:]
        return Encoded(steps, words)


def simple_words(line: str) -> list[str]:
    """The words of a line: runs of letters, digits and underscores with the marks on them, and every other sign alone.

    A mark (a vowel sign, an accent of its own) belongs to what it stands on, a joiner to the word before it.
    """
    words: list[str] = []
    end = 0
    for found in WORD.finditer(line):
        piece, touches = found.group(), bool(words) and found.start() == end
        on_word = touches and (words[-1][0].isalnum() or words[-1][0] == "_")
        carried = unicodedata.category(piece[0])[0] == "M" or (on_word and piece in JOINERS)
        goes_on = on_word and (piece[0].isalnum() or piece[0] == "_")
        if (touches and carried) or goes_on:
            words[-1] += piece
        else:
            words.append(piece)
        end = found.end()
    return words


class WordAnswers(Answerer):
    """The words of a line with their tags, and where these mark spans, the spans.

    ``{"words": ["Ada", "sat"], "tags": ["B-PER", "O"], "spans": [{"label": "PER", "first_word": 0, "words": 1}]}``. The
    format ``conll`` is a word and its tag a line, and a blank line after each sentence; ``text`` the tags alone.

    With ``confidence`` there is the probability of each word's tag, ``"confidence": [0.97, 0.99]``, a third column of
    ``conll``.
    """

    formats: ClassVar[tuple[str, ...]] = ("conll", "text", "json")
    pool: ClassVar[int] = 32
    tags: Sequence[str]
    scheme: str | None
    confidence: bool

    def of_words(self, words: Sequence[str], numbers: Sequence[int], confidences: Sequence[float] = ()) -> Answer:
        """The answer for ``words`` with the ``numbers`` of their tags and, with ``confidence``, the probabilities of these;
        both may go on behind the words."""
        tags = [self.tags[number] for number in numbers[: len(words)]]
        answer: dict[str, Any] = {"words": list(words), "tags": tags}
        answer |= {"confidence": list(confidences[: len(words)])} if self.confidence else {}
        if self.scheme is None:
            return answer
        spans = spans_of(tags, self.scheme)
        return {**answer, "spans": [{"label": s.kind, "first_word": s.start, "words": s.stop - s.start} for s in spans]}

    def no_answer(self) -> Answer:
        return self.of_words([], [])

    def text(self, answer: Answer, form: str = "text") -> str:
        if form == "text":
            return " ".join(answer["tags"])
        columns = [answer["words"], answer["tags"]]
        columns += [[f"{probability:.4f}" for probability in answer["confidence"]]] if self.confidence else []
        return "".join("\t".join(row) + "\n" for row in zip(*columns, strict=True))
