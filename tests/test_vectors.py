"""Pretrained vectors: the two formats, what is found in them, and broken lines by their number."""

from pathlib import Path

import numpy as np
import pytest

from rnn_lightning.vectors import read_vectors

LINES = "the 1 2 3\nDog -1 0.5 1e-3\ndog 4 5 6\nnew york 7 8 9\n猫 0 0 0\n"
WORDS = ["", "the", "The", "Dog", "DOG", "new york", "猫", "cat"]
ROWS = {"the": [1, 2, 3], "The": [1, 2, 3], "Dog": [-1, 0.5, 1e-3], "DOG": [4, 5, 6], "new york": [7, 8, 9], "猫": [0, 0, 0]}


def written(folder: Path, text: str) -> Path:
    (folder / "vectors.txt").write_bytes(text.encode(errors="surrogateescape"))
    return folder / "vectors.txt"


@pytest.mark.parametrize("header", ["", "5 3\n"])
@pytest.mark.parametrize("end", ["\n", " \n", "\r\n"])
def test_both_formats_give_each_word_its_vector(header: str, end: str, tmp_path: Path) -> None:
    found = read_vectors(written(tmp_path, header + LINES.replace("\n", end)), WORDS)
    assert found.matrix.shape == (8, 3) and found.matrix.dtype == np.float32
    assert [word for word, there in zip(WORDS, found.found, strict=True) if there] == list(ROWS)
    for word, row in zip(WORDS, found.matrix, strict=True):
        assert row.tolist() == pytest.approx(ROWS.get(word, [0, 0, 0]))
    assert found.coverage == pytest.approx(6 / 7)


def test_the_order_of_the_lines_does_not_decide_between_two_spellings(tmp_path: Path) -> None:
    lines = LINES.splitlines(keepends=True)
    one = read_vectors(written(tmp_path, "".join(lines)), WORDS)
    other = read_vectors(written(tmp_path, "".join(reversed(lines))), WORDS)
    assert np.array_equal(one.matrix, other.matrix) and np.array_equal(one.found, other.found)


BROKEN = {
    "short": ("the 1 2 3\ndog 4 5\n", r"vectors.txt:2 has 2 numbers behind a word, not 3 as the file begins$"),
    "long": ("the 1 2 3\ndog 4 5 6 7\n", r"vectors.txt:2 has 4 numbers behind a word, not 3 as the file begins$"),
    "header": ("2 3\nthe 1 2\n", r"vectors.txt:2 has 2 numbers behind a word, not 3 as the file begins$"),
    "text": ("the 1 2 3\ndog 4 five 6\n", r"vectors.txt:2 is no vector: .*'five'"),
    "unneeded": ("the 1 2 3\nzebra 4 x 6\n", r"vectors.txt:2 is no vector: .*'x'"),
    "infinite": ("the 1 2 3\ndog 4 inf 6\n", r"vectors.txt:2 is no vector: it has a number that is not finite$"),
    "bytes": ("the 1 2 3\nd\udcffg 4 5 6\n", r"vectors.txt:2 is not UTF-8 at byte 2: save it as UTF-8"),
    "blank": ("the 1 2 3\n\ndog 4 5 6\n", r"vectors.txt:2 has 0 numbers behind a word, not 3"),
    "cut": ("3 3\nthe 1 2 3\ndog 4 5 6\n", r"vectors.txt ends after 2 vectors, it should have 3$"),
    "empty": ("", r"vectors.txt ends after 0 vectors, it should have at least one$"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_line_is_named(case: str, tmp_path: Path) -> None:
    text, expected = BROKEN[case]
    with pytest.raises(ValueError, match=expected) as caught:
        read_vectors(written(tmp_path, text), WORDS)
    assert "\n" not in str(caught.value)
