"""The language that needs foresight: parsed by a reader that knows only its grammar, its ceiling by enumeration."""

import json
from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from corpora import made

from rnn_lightning.corpora import SPLITS, Foresight
from rnn_lightning.corpora.generated import random_stream

ROWS = {"train": 300, "validation": 40, "test": 50}
NOUNS = {"dog": "animal", "rose": "plant", "stone": "thing"}
NOUNS |= dict.fromkeys(("cat", "bird", "horse", "wolf", "owl"), "animal")
NOUNS |= dict.fromkeys(("fern", "oak", "moss", "lily", "reed"), "plant")
NOUNS |= dict.fromkeys(("chair", "bell", "coin", "lamp", "wheel"), "thing")


def tag(words: list[str]) -> list[str]:
    """The tags, by a stack of phrases whose noun is still to come."""
    tags, waiting = [""] * len(words), []
    for place, word in enumerate(words):
        if word == "the":
            waiting.append([(place, "DET")])
        elif word in NOUNS:
            for earlier, part in [*waiting.pop(), (place, "NOUN")]:
                tags[earlier] = f"{part}-{NOUNS[word]}"
        elif word.endswith("ing"):
            waiting[-1].append((place, "PART"))
        elif waiting:
            waiting[-1].append((place, "ADJ"))
        else:
            tags[place] = "VERB"
    assert not waiting
    return tags


def read(file: Path) -> list[tuple[list[str], list[str]]]:
    """The words and tags of each sentence of a processed split."""
    sentences = [[line.split("\t") for line in block.split("\n")] for block in file.read_text().split("\n\n")[:-1]]
    return [([word for word, _ in sentence], [tag for _, tag in sentence]) for sentence in sentences]


@pytest.fixture(scope="module")
def foresight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(Foresight(rows=ROWS, seed=3), tmp_path_factory.mktemp("foresight"))


@pytest.mark.parametrize("split", SPLITS)
def test_a_reader_of_the_whole_sentence_finds_every_tag(foresight: Path, split: str) -> None:
    sentences = read(foresight / f"processed/{split}.txt")
    assert len(sentences) == ROWS[split]
    assert all(tag(words) == tags for words, tags in sentences)
    assert max(Counter(words)["the"] for words, _ in sentences) > 3


def phrases(corpus: Foresight, depth: int, most: int) -> dict[tuple[str, ...], float]:
    """The shapes of every phrase(``depth``) of at most ``most`` words with their probabilities: g agrees, n is a noun."""
    ends: dict[tuple[str, ...], float] = {("g",): 1.0}
    found: dict[tuple[str, ...], float] = {}
    nest = corpus.nest if depth < corpus.max_depth else 0.0
    modifiers = {("g",): 1 - nest}
    if nest:
        modifiers |= {(*inner, "g"): nest * p for inner, p in phrases(corpus, depth + 1, most - 3).items()}
    while ends:
        found |= {(*shape, "n"): found.get((*shape, "n"), 0) + p * (1 - corpus.modify) for shape, p in ends.items()}
        longer: dict[tuple[str, ...], float] = {}
        for (shape, p), (more, q) in product(ends.items(), modifiers.items()):
            if len(shape) + len(more) < most:
                longer[shape + more] = longer.get(shape + more, 0) + p * q * corpus.modify
        ends = longer
    return found


@pytest.mark.parametrize(("classes", "depth", "modify", "nest"), [(2, 0, 0.2, 0.3), (3, 1, 0.15, 0.2), (4, 2, 0.1, 0.25)])
def test_the_ceiling_is_that_of_the_enumerated_language(classes: int, depth: int, modify: float, nest: float) -> None:
    corpus = Foresight(rows=ROWS, seed=1, classes=classes, max_depth=depth, modify=modify, nest=nest)
    found = phrases(corpus, 0, 14)
    missing = 1 - sum(found.values())  # longer phrases, of some thirty words
    assert -1e-12 < missing < 1e-4
    words = 1 + 2 * sum(p * len(shape) for shape, p in found.items())
    right = 1 + 2 * sum(p * (shape.count("n") + shape.count("g") / classes) for shape, p in found.items())
    assert corpus.left_to_right_accuracy() == pytest.approx(right / words, abs=1e-9 + 30 * missing)


def test_what_was_read_tells_nothing_of_a_class_to_come() -> None:
    """The best guess from all that stands to the left is right as often as the ceiling says, and no more often."""
    corpus, generator = Foresight(rows=ROWS, seed=1), random_stream(1, "train")
    sentences = [corpus.sentence(generator) for _ in range(4000)]
    assert all(tag([word for word, _ in some]) == [tag for _, tag in some] for some in sentences)
    blind = [(word == "the" or tag[:3] in ("ADJ", "PAR"), word, tag) for some in sentences for word, tag in some]
    right = [1 - agrees * (1 - 1 / 3) for agrees, _, _ in blind]
    assert np.mean(right) == pytest.approx(corpus.left_to_right_accuracy(), abs=0.01)
    for word in ("the", "old", "seeing"):
        counts = Counter(tag for _, other, tag in blind if other == word)
        assert len(counts) == 3 and max(counts.values()) / sum(counts.values()) < 0.37


def test_the_card_names_what_a_reader_from_left_to_right_can_reach(foresight: Path) -> None:
    card = json.loads((foresight / "processed/card.json").read_text())
    assert card["references"] == {"left_to_right_accuracy": Foresight(rows=ROWS, seed=3).left_to_right_accuracy()}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"classes": 1}, r"classes must lie in 2\.\.4, not 1"),
        ({"max_depth": -1}, "max_depth must be 0 or more, not -1"),
        ({"modify": 1.0}, "modify must be a probability below 1, not 1.0"),
        ({"nest": -0.1}, "nest must be a probability below 1, not -0.1"),
    ],
)
def test_arguments_are_checked_at_the_door(changes: dict, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        Foresight(rows=ROWS, seed=1, **changes)
