"""Pretrained word vectors from text files in the formats of word2vec and GloVe.

Mikolov et al., "Distributed Representations of Words and Phrases", 2013, arXiv:1310.4546; Pennington, Socher and Manning,
"GloVe: Global Vectors for Word Representation", 2014. Shapes: V words of a vocabulary, E numbers of a vector.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .files import read_lines


class Vectors(NamedTuple):
    """Vectors ``matrix`` (V, E) float32, zero where ``found`` (V,) is false; ``coverage`` is the share of words with one."""

    matrix: NDArray[np.float32]
    found: NDArray[np.bool_]
    coverage: float


def read_vectors(path: str | Path, words: Sequence[str]) -> Vectors:
    """Read the vectors of ``words`` (V,) from the text file ``path``; a word without one takes that of its lower case.

    A line is a word and E numbers between blanks; the word may have blanks itself. A first line of two whole numbers is the
    header of word2vec, which promises so many vectors of that size. An empty word stands for no word and is not found.

    Raises:
        ValueError: for a line that is no word and E finite numbers, or a file with fewer vectors than promised; names both.
        FileNotFoundError: where there is no such file.
    """
    exact = {word: index for index, word in enumerate(words) if word}
    lower: dict[str, list[int]] = {}
    for word, index in exact.items():
        lower.setdefault(word.lower(), []).append(index)
    matrix, found, spelled = np.zeros((0, 0), np.float32), np.zeros(len(words), np.bool_), np.zeros(len(words), np.bool_)
    for word, vector in entries(Path(path)):
        if not matrix.size:
            matrix = np.zeros((len(words), len(vector)), np.float32)
        for index in lower.get(word, ()):
            if not spelled[index]:
                matrix[index], found[index] = vector, True
        if word in exact:
            matrix[exact[word]] = vector
            found[exact[word]] = spelled[exact[word]] = True
    return Vectors(matrix, found, float(found.sum() / max(len(exact), 1)))


def entries(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Each word of the file with its vector (E,)."""
    size, promised, count = 0, None, 0
    for number, line in enumerate(read_lines(path), start=1):
        where, fields = f"{path}:{number}", line.strip(" ").split(" ")
        if number == 1 and len(fields) == 2 and all(field.isdecimal() for field in fields):
            promised, size = map(int, fields)
            continue
        size = size or len(fields) - 1
        more = len(fields) - size - 1
        if size < 1 or more < 0 or (more and is_number(fields[-size - 1])):
            raise ValueError(f"{where} has {len(fields) - 1} numbers behind a word, not {max(size, 1)} as the file begins")
        yield " ".join(fields[: len(fields) - size]), numbers(fields[-size:], where)
        count += 1
    if not count or count < (promised or 0):
        raise ValueError(f"{path} ends after {count} vectors, it should have {promised or 'at least one'}")


def is_number(text: str) -> bool:
    """Whether a field of a line is a number, and so not the end of a word with blanks."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def numbers(fields: Sequence[str], where: str) -> NDArray[np.float32]:
    """Parse a vector (E,); ``where`` names its line in errors."""
    try:
        vector = np.array(fields, dtype=np.float32)
    except ValueError as error:
        raise ValueError(f"{where} is no vector: {error}") from None
    if not np.isfinite(vector).all():
        raise ValueError(f"{where} is no vector: it has a number that is not finite")
    return vector
