"""Generated corpora say what they claim: against naive loops, enumeration and Monte Carlo."""

import json
import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpora import contents, made

from rnn_lightning.corpora import (
    SPLITS,
    Adding,
    AssociativeRecall,
    Copying,
    Corpus,
    CorpusError,
    Dates,
    Foresight,
    Nested,
    Parity,
    PenDigits,
    SelectiveCopying,
)
from rnn_lightning.corpora.generated import random_stream

ROWS = {"train": 40, "validation": 10, "test": 12}
GENERATED: dict[str, Callable[..., Corpus]] = {
    "recall": partial(AssociativeRecall, rows=ROWS, pairs=3, keys=5, values=4),
    "selective_copying": partial(SelectiveCopying, rows=ROWS, delay=5, symbols=4, alphabet=3),
    "adding": partial(Adding, rows=ROWS, steps=7),
    "copying": partial(Copying, rows=ROWS, delay=5, symbols=4, alphabet=3),
    "dates": partial(Dates, rows=ROWS),
    "foresight": partial(Foresight, rows=ROWS),
    "parity": partial(Parity, rows=ROWS),
    "pen_digits": partial(PenDigits, rows=ROWS),
    "nested": partial(Nested, rows=ROWS, classes=4, max_depth=3),
}


def processed(corpus: Corpus, raw: Path) -> tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]:
    """The card, and the arrays of each split."""
    folder = raw.parent / "processed"
    corpus.preprocess(raw, folder)
    return json.loads((folder / "card.json").read_text()), {s: dict(np.load(folder / f"{s}.npz")) for s in SPLITS}


def fetched(corpus: Corpus, folder: Path) -> Path:
    corpus.fetch(folder / "raw")
    return folder / "raw"


@pytest.mark.parametrize("name", GENERATED)
def test_a_seed_gives_the_same_bytes_and_another_seed_others(name: str, tmp_path: Path) -> None:
    for run, seed in {"one": 3, "two": 3, "other": 4}.items():
        made(GENERATED[name](seed=seed), tmp_path / run)
    assert contents(tmp_path / "one/raw") == contents(tmp_path / "two/raw")
    first, other = contents(tmp_path / "one/processed"), contents(tmp_path / "other/processed")
    assert first == contents(tmp_path / "two/processed")
    assert len({first[f"{split}.npz"] for split in SPLITS} | {other[f"{split}.npz"] for split in SPLITS}) == 6
    with pytest.raises(CorpusError, match=r"source.json has seed 3, not 4; fetch the corpus again"):
        GENERATED[name](seed=4).preprocess(tmp_path / "one/raw", tmp_path / "refused")


def test_adding_adds_the_two_marked_numbers(tmp_path: Path) -> None:
    card, arrays = processed(GENERATED["adding"](seed=3), fetched(GENERATED["adding"](seed=3), tmp_path))
    for split, rows in ROWS.items():
        inputs, offsets, targets = (arrays[split][key] for key in ("inputs", "input_offsets", "targets"))
        assert (inputs.dtype, targets.dtype, len(offsets)) == (np.float32, np.float32, rows + 1)
        for row in range(rows):
            steps = inputs[offsets[row] : offsets[row + 1]]
            marked = [step for step, (_, mark) in enumerate(steps) if mark == 1]
            assert len(steps) == 7 and set(steps[:, 1]) == {0, 1}
            assert len(marked) == 2 and marked[0] < 3 <= marked[1]
            assert targets[row] == pytest.approx(sum(float(steps[step, 0]) for step in marked))
    assert card["splits"]["test"]["rows"] == 12


def test_the_adding_baseline_is_the_loss_of_answering_one() -> None:
    corpus = Adding(steps=10, rows=ROWS, seed=0)
    targets = corpus.draw(100_000, random_stream(0, "test")).targets[:]
    losses = (targets - 1) ** 2
    error = losses.std() / math.sqrt(len(losses))
    assert abs(losses.mean() - corpus.card_fields({}).references["baseline_mean_squared_error"]) < 4 * error


def test_copying_asks_for_what_was_said_and_scores_nothing_else(tmp_path: Path) -> None:
    card, arrays = processed(GENERATED["copying"](seed=3), fetched(GENERATED["copying"](seed=3), tmp_path))
    for split, rows in ROWS.items():
        tokens, documents, scored = (arrays[split][key] for key in ("tokens", "documents", "scored"))
        assert len(documents) == rows + 1 and documents[-1] == len(tokens) == len(scored)
        for start, end in pairwise(documents):
            said = tokens[start : start + 4].tolist()
            assert set(said) <= {0, 1, 2}
            assert tokens[start:end].tolist() == said + [3] * 5 + [4] + said
            assert scored[start:end].tolist() == [False] * 10 + [True] * 4
    assert card["vocabulary_size"] == 5
    assert card["references"]["chance_nats_per_scored_token"] == pytest.approx(-math.log(1 / 3))


def documents_of(name: str, folder: Path) -> Iterator[tuple[list[int], list[bool]]]:
    """The tokens of every document, and which are scored."""
    _, arrays = processed(GENERATED[name](seed=3), fetched(GENERATED[name](seed=3), folder))
    for split, rows in ROWS.items():
        tokens, documents, scored = (arrays[split][key].tolist() for key in ("tokens", "documents", "scored"))
        assert len(documents) == rows + 1 and documents[-1] == len(tokens)
        yield from ((tokens[start:end], scored[start:end]) for start, end in pairwise(documents))


def test_selective_copying_asks_for_the_symbols_among_blanks(tmp_path: Path) -> None:
    places = set()
    for tokens, scored in documents_of("selective_copying", tmp_path):
        read, mark, said = tokens[:9], tokens[9], tokens[10:]
        assert mark == 4 and [token for token in read if token != 3] == said and set(said) <= {0, 1, 2} and len(said) == 4
        assert scored == [False] * 10 + [True] * 4
        places |= {place for place, token in enumerate(read) if token != 3}
    assert places == set(range(9))


def test_associative_recall_asks_each_key_again(tmp_path: Path) -> None:
    moved = 0
    for tokens, scored in documents_of("recall", tmp_path):
        first, second = ([*zip(half[::2], half[1::2], strict=True)] for half in (tokens[:6], tokens[6:]))
        assert sorted(first) == sorted(second) and len(dict(first)) == 3
        assert {key for key, _ in first} <= set(range(5)) and {value for _, value in first} <= set(range(5, 9))
        assert scored == [False] * 6 + [False, True] * 3
        moved += first != second
    assert moved > 20


def log_probability(corpus: Nested, words: list[str]) -> float:
    """What the grammar gives a sentence, token by token: each noun, each coin thrown after a noun and after a verb."""
    verbs = {
        noun: verb for noun, verb in zip(["dog", "cat", "bird", "horse"], ["barks", "purrs", "sings", "gallops"], strict=True)
    }
    total, waiting = 0.0, []
    for word, following in zip(words, [*words[1:], "<eos>"], strict=True):
        if word in verbs:
            waiting.append(verbs[word])
            total -= math.log(corpus.classes)
            if len(waiting) <= corpus.max_depth:
                total += math.log(corpus.nest if following in verbs else 1 - corpus.nest)
            else:
                assert following not in verbs
        else:
            assert word == waiting.pop()
            total += math.log(corpus.follow if following in verbs else 1 - corpus.follow)
    assert not waiting
    return total


def test_the_entropy_of_nested_sentences_is_what_samples_cost() -> None:
    corpus = Nested(rows=ROWS, seed=0, classes=4, max_depth=5, nest=0.6, follow=0.25)
    generator = random_stream(0, "train")
    sentences = [corpus.sentence(generator) for _ in range(5_000)]
    nouns, entropy = corpus.phrases_and_entropy()
    costs = np.array([-log_probability(corpus, sentence) for sentence in sentences])
    lengths = np.array([len(sentence) + 1 for sentence in sentences])
    for samples, expected in ((costs, entropy), (lengths, 2 * nouns + 1)):
        assert abs(samples.mean() - expected) < 4 * samples.std() / math.sqrt(len(samples))
    assert corpus.entropy_rate() == entropy / (2 * nouns + 1)


def enumerate_phrases(corpus: Nested, depth: int, length: int) -> dict[tuple[str, ...], float]:
    """Every phrases(``depth``) of at most ``length`` words with its probability, straight from the grammar's rules."""
    if length < 2:
        return {}
    inner = enumerate_phrases(corpus, depth + 1, length - 2) if depth < corpus.max_depth else {}
    nest = corpus.nest if depth < corpus.max_depth else 0
    bodies = {(): 1 - nest} | {words: nest * p for words, p in inner.items()}
    pairs = [("dog", "barks"), ("cat", "purrs")][: corpus.classes]
    phrases: dict[tuple[str, ...], float] = {(n, *body, v): p / corpus.classes for n, v in pairs for body, p in bodies.items()}
    found = {words: p * (1 - corpus.follow) for words, p in phrases.items()}
    if corpus.follow:
        for rest, rest_p in enumerate_phrases(corpus, depth, length - 2).items():
            for words, p in phrases.items():
                if len(words) + len(rest) <= length:
                    found[words + rest] = found.get(words + rest, 0) + p * corpus.follow * rest_p
    return found


@pytest.mark.parametrize(
    ("classes", "max_depth", "nest", "follow", "length"), [(2, 5, 0.6, 0.0, 12), (2, 2, 0.05, 0.02, 12), (1, 3, 0.1, 0.05, 16)]
)
def test_the_entropy_of_nested_sentences_is_that_of_their_enumeration(
    classes: int, max_depth: int, nest: float, follow: float, length: int
) -> None:
    corpus = Nested(rows=ROWS, seed=0, classes=classes, max_depth=max_depth, nest=nest, follow=follow)
    sentences = enumerate_phrases(corpus, 0, length)
    missing = 1 - sum(sentences.values())  # longer sentences, of some forty nats or tokens
    assert -1e-12 < missing < 1e-4
    entropy = -sum(p * math.log(p) for p in sentences.values())
    tokens = sum(p * (len(words) + 1) for words, p in sentences.items())
    assert corpus.entropy_rate() == pytest.approx(entropy / tokens, abs=1e-9 + 40 * missing)


def test_a_folder_of_other_parameters_is_refused(tmp_path: Path) -> None:
    raw = fetched(GENERATED["adding"](seed=3), tmp_path)
    with pytest.raises(CorpusError, match="has steps 7, not 8"):
        Adding(steps=8, rows=ROWS, seed=3).preprocess(raw, tmp_path / "processed")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: Adding(steps=1, rows=ROWS, seed=0), "steps must be a whole number of 2 to 1000000, not 1"),
        (lambda: Adding(steps=9, rows={"train": 1}, seed=0), "rows must give a positive number for each of"),
        (lambda: Adding(steps=10**12, rows=ROWS, seed=0), "steps must be a whole number of 2 to 1000000, not 1000000000000"),
        (lambda: Adding(steps=9, rows={**ROWS, "test": 10**12}, seed=0), "rows.test must be a whole number of 1 to 100000000"),
        (lambda: AssociativeRecall(pairs=3, keys=2, rows=ROWS, seed=0), "keys must be a whole number of 3 to 1000000, not 2"),
        (
            lambda: SelectiveCopying(delay=5, symbols=0, rows=ROWS, seed=0),
            "symbols must be a whole number of 1 to 1000000, not 0",
        ),
        (lambda: Copying(delay=-1, rows=ROWS, seed=0), "delay must be a whole number of 0 to 1000000, not -1"),
        (lambda: Nested(rows=ROWS, seed=0, classes=99), r"classes must lie in 1..16, not 99"),
        (lambda: Nested(rows=ROWS, seed=0, nest=1.0), "nest must be a probability below 1"),
    ],
)
def test_arguments_are_checked_at_the_door(make: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        make()
