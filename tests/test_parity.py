"""Parity: right by counting, and out of reach of cells whose state is only kept or forgotten."""

import json
from pathlib import Path

import pytest
import torch
from corpora import made

from rnn_lightning import Tagger
from rnn_lightning.corpora import SPLITS, Parity

ROWS = {"train": 60, "validation": 40, "test": 50}


def read(file: Path) -> list[list[list[str]]]:
    """Each sentence of a processed split: pairs of a word and its tag."""
    return [[line.split("\t") for line in block.split("\n")] for block in file.read_text().split("\n\n")[:-1]]


def test_tags_are_the_parity_of_the_ones_so_far(tmp_path: Path) -> None:
    folder = made(Parity(rows=ROWS, seed=3, shortest=2, longest=9, test_longest=30, test_shortest=10), tmp_path) / "processed"
    lengths = {}
    for split in SPLITS:
        sentences = read(folder / f"{split}.txt")
        for sentence in sentences:
            said = [word for word, _ in sentence]
            assert [tag for _, tag in sentence] == [
                "odd" if said[: place + 1].count("one") % 2 else "even" for place in range(len(said))
            ]
        lengths[split] = {len(sentence) for sentence in sentences}
        assert len(sentences) == ROWS[split]
    assert lengths["train"] == set(range(2, 10)) and min(lengths["test"]) == 10 and max(lengths["test"]) in (28, 29, 30)
    assert json.loads((folder / "card.json").read_text())["references"] == {"guessing_accuracy": 0.5}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"shortest": 0}, "shortest must be a whole number of 1 to 1000000, not 0"),
        ({"longest": 0}, "longest must be a whole number of 1 to 1000000, not 0"),
        ({"test_longest": 0}, "test_longest must be a whole number of 1 to 1000000, not 0"),
        ({"test_shortest": 41}, "test_longest must be a whole number of 41 to 1000000, not 40"),
    ],
)
def test_arguments_are_checked_at_the_door(changes: dict, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        Parity(rows=ROWS, seed=1, **changes)


def accuracy_after_training(cell: str) -> float:
    """The share of right tags on rows of 60 bits, by a tagger of one layer that has learned rows of 20."""
    torch.manual_seed(0)
    model = Tagger(2, 2, {"cell": cell, "hidden_size": 16}, embedding_size=4)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(300):
        bits = torch.randint(2, (32, 20))
        logits, _ = model(bits)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), (bits.cumsum(1) % 2).flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    bits = torch.randint(2, (100, 60))
    return (model(bits)[0].argmax(2) == bits.cumsum(1) % 2).float().mean().item()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_state_that_has_a_say_toggles(cell: str) -> None:
    assert accuracy_after_training(cell) > 0.99


@pytest.mark.parametrize("cell", ["mingru", "minlstm", "sru", "qrnn", "lru"])
def test_a_state_that_inputs_alone_rule_does_not(cell: str) -> None:
    assert accuracy_after_training(cell) < 0.8
