"""Batches of sequences with sequences: against plain loops, within a budget, and as many in every epoch."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from corpora import VOCABULARY, write_pairs, write_sequence_pairs, write_tagged

from rnn_lightning import IGNORED, Batch, PairModule
from rnn_lightning.data.module import EpochOrder
from rnn_lightning.data.pairs import Pairs
from rnn_lightning.sequences import PADDING

SETTINGS: dict[str, dict[str, Any]] = {
    "rows": {"batch_size": 7},
    "tokens": {"batch_size": 1000, "tokens": 40},
    "both": {"batch_size": 5, "tokens": 25},
    "single": {"batch_size": 1},
    "random": {"batch_size": 7, "buckets": False},
}


def sides(folder: Path, split: str) -> list[tuple[list[int], list[int]]]:
    """The rows of a split as plain lists."""
    arrays = np.load(folder / f"{split}.npz")

    def cut(side: str, offsets: str) -> list[list[int]]:
        return [arrays[side][start:stop].tolist() for start, stop in pairwise(arrays[offsets])]

    return list(zip(cut("inputs", "input_offsets"), cut("targets", "target_offsets"), strict=True))


def padded(rows: list[list[int]], filling: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What a batch of ``rows`` should be, and their lengths."""
    longest = max(map(len, rows))
    lengths = None if all(len(row) == longest for row in rows) else torch.tensor([len(row) for row in rows])
    return torch.tensor([row + [filling] * (longest - len(row)) for row in rows]), lengths


def multi30k_like(rows: int = 20_000) -> dict[str, np.ndarray]:
    """Pairs with lengths like those of Multi30k in words: 13.6 on average, the sides correlated by 0.86."""
    draws = np.random.default_rng(0)
    common = draws.gamma(9.0, 1.5, rows)
    arrays = {}
    for name, side in (("input_offsets", "inputs"), ("target_offsets", "targets")):
        lengths = np.maximum(2, np.rint(common * draws.normal(1.0, 0.125, rows))).astype(np.int64)
        arrays[name] = np.concatenate([[0], lengths.cumsum()])
        arrays[side] = np.ones(int(lengths.sum()), dtype=np.int32)
    return arrays


def real_share(dataset: Pairs) -> float:
    """How many of the tokens of an epoch's batches, of both sides, are no padding."""
    real = sizes = 0
    for rows in dataset.order(1, 0):
        batch = dataset[rows]
        sizes += batch.inputs.numel() + batch.targets.numel()
        real += int(batch.inputs.sum()) + int((batch.targets != IGNORED).sum())
    return real / sizes


def equal(one: Batch, inputs: tuple[torch.Tensor, Any], targets: tuple[torch.Tensor, Any]) -> bool:
    expected = (*inputs, *targets)
    found = (one.inputs, one.lengths, one.targets, one.target_lengths)
    return all(a is b if a is None or b is None else torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("setting", SETTINGS)
def test_batches_are_what_a_plain_loop_makes_and_hold_every_row_once(setting: str, tmp_path: Path) -> None:
    dataset = PairModule(write_sequence_pairs(tmp_path), **SETTINGS[setting]).dataset("train")
    rows = sides(tmp_path, "train")
    for epoch in range(3):
        order = dataset.order(1, epoch)
        assert sorted(row for name in order for row in name) == list(range(60))
        for name in order:
            chosen = [rows[row] for row in name]
            inputs, targets = padded([source for source, _ in chosen], 0), padded([target for _, target in chosen], IGNORED)
            assert equal(dataset[name], inputs, targets)
            assert dataset[name].inputs.dtype == dataset[name].targets.dtype == torch.int64


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("split", ["validation", "test"])
def test_validation_and_test_hold_every_row_once_and_say_which(setting: str, split: str, tmp_path: Path) -> None:
    module = PairModule(write_sequence_pairs(tmp_path), eval_batch_size=11, **SETTINGS[setting])
    loader = module.val_dataloader() if split == "validation" else module.test_dataloader()
    names = module.dataset(split).in_order()
    rows = sides(tmp_path, split)
    assert sorted(row for name in names for row in name) == list(range(60))
    assert max(map(len, names)) <= 11
    for name, batch in zip(names, loader, strict=True):
        for place, row in enumerate(name):
            assert [token for token in batch.targets[place].tolist() if token != IGNORED] == rows[row][1]


@pytest.mark.parametrize("tokens", [1, 9, 10, 40, 100_000])
@pytest.mark.parametrize("batch_size", [1, 5, 1000])
def test_a_batch_takes_rows_until_the_budget_is_spent(tokens: int, batch_size: int, tmp_path: Path) -> None:
    dataset = PairModule(write_sequence_pairs(tmp_path), batch_size=batch_size, tokens=tokens).dataset("train")
    lengths = sorted(max(map(len, pair)) for pair in sides(tmp_path, "train"))
    expected: list[list[int]] = [[]]
    for length in lengths:
        fits = len(expected[-1]) < batch_size and (len(expected[-1]) + 1) * length <= tokens
        if expected[-1] and not fits:
            expected.append([])
        expected[-1].append(length)
    for epoch in range(3):
        found = []
        for name in dataset.order(1, epoch):
            batch = dataset[name]
            assert len(name) == 1 or len(name) * max(batch.inputs.shape[1], batch.targets.shape[1]) <= tokens
            found.append(sorted(int(dataset.longest[row]) for row in name))
        assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("setting", ["rows", "tokens", "both", "random"])
def test_epochs_mix_the_rows_anew_in_batches_of_the_same_sizes(setting: str, tmp_path: Path) -> None:
    module = PairModule(write_sequence_pairs(tmp_path, rows=200), **SETTINGS[setting])
    dataset, again = module.dataset("train"), module.dataset("train")
    for seed in (1, 2):
        epochs = [dataset.order(seed, epoch) for epoch in range(20)]
        assert epochs == [again.order(seed, epoch) for epoch in range(20)]
        assert len({tuple(map(frozenset, order)) for order in epochs}) == 20
        shared = {frozenset(name) for name in epochs[0]} & {frozenset(name) for name in epochs[1]}
        assert len(shared) <= len(epochs[0]) / 4
        sizes = [Counter(map(len, order)) for order in epochs]
        assert all(size == sizes[0] for size in sizes)
    assert dataset.order(1, 0) != dataset.order(2, 0)


@pytest.mark.parametrize("setting", ["tokens", "random"])
def test_going_on_within_an_epoch_gives_the_batches_that_were_left(setting: str, tmp_path: Path) -> None:
    dataset = PairModule(write_sequence_pairs(tmp_path), **SETTINGS[setting]).dataset("train")

    def order(epoch: int) -> list[tuple[int, ...]]:
        return dataset.order(5, epoch)

    whole = [name for epoch in range(3) for name in order(epoch)]
    for cursor in range(len(whole)):
        assert list(EpochOrder(order, epochs=3, cursor=cursor)) == whole[cursor:]


@pytest.mark.parametrize("setting", [{"batch_size": 128}, {"batch_size": 1000, "tokens": 2048}])
def test_little_is_padding_where_similar_lengths_are_together(setting: dict[str, int]) -> None:
    arrays = multi30k_like()
    lengths = [np.diff(arrays[name]) for name in ("input_offsets", "target_offsets")]
    assert np.corrcoef(*lengths)[0, 1] == pytest.approx(0.86, abs=0.02) and lengths[0].mean() == pytest.approx(13.6, abs=0.2)
    assert real_share(Pairs(arrays, **setting)) > 0.9
    assert real_share(Pairs(arrays, 128, buckets=False)) < 0.55


def test_random_batches_hold_any_lengths_but_validation_is_sorted(tmp_path: Path) -> None:
    module = PairModule(write_sequence_pairs(tmp_path, rows=200), batch_size=20, buckets=False)
    dataset = module.dataset("train")
    assert all(len(set(dataset.longest[list(name)])) > 2 for name in dataset.order(1, 0))
    dataset = module.dataset("validation")
    ordered = [int(dataset.longest[row]) for name in dataset.in_order() for row in name]
    assert ordered == sorted(ordered)


def test_sides_of_one_length_need_no_lengths(tmp_path: Path) -> None:
    offsets = np.arange(5, dtype=np.int64)
    tokens = np.arange(12, dtype=np.int32)
    np.savez(tmp_path / "train.npz", inputs=tokens, input_offsets=offsets * 3, targets=tokens[:8], target_offsets=offsets * 2)
    dataset = PairModule(tmp_path, batch_size=4).dataset("train")
    batch = dataset[(2, 0)]
    assert batch.inputs.tolist() == [[6, 7, 8], [0, 1, 2]] and batch.targets.tolist() == [[4, 5], [0, 1]]
    assert batch.lengths is None and batch.target_lengths is None


def test_an_empty_side_is_a_row_of_padding(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "train.npz",
        inputs=np.array([3, 4], dtype=np.int32),
        input_offsets=np.array([0, 2, 2]),
        targets=np.array([5], dtype=np.int32),
        target_offsets=np.array([0, 0, 1]),
    )
    batch = PairModule(tmp_path, batch_size=2, tokens=8).dataset("train")[(0, 1)]
    assert batch.inputs.tolist() == [[3, 4], [0, 0]] and batch.lengths is not None and batch.lengths.tolist() == [2, 0]
    assert batch.targets.tolist() == [[IGNORED], [5]] and batch.target_lengths is not None
    assert batch.target_lengths.tolist() == [0, 1]


def test_one_value_a_row_has_a_budget_too(tmp_path: Path) -> None:
    dataset = PairModule(write_pairs(tmp_path), batch_size=50, tokens=30).dataset("train")
    order = dataset.order(1, 0)
    assert sorted(row for name in order for row in name) == list(range(60))
    for name in order:
        batch = dataset[name]
        assert batch.inputs.shape[0] * batch.inputs.shape[1] <= 30 and batch.inputs.shape[2] == 2
        assert torch.equal(batch.targets, dataset.values[list(name)]) and batch.target_lengths is None


def test_the_tokens_stay_those_of_the_corpus(tmp_path: Path) -> None:
    dataset = PairModule(write_sequence_pairs(tmp_path), batch_size=60).dataset("train")
    batch = dataset[dataset.in_order()[0]]
    ends = (batch.targets == VOCABULARY - 1).sum(1)
    assert bool((ends == 1).all()) and int(batch.inputs.min()) >= 0


@pytest.mark.parametrize("setting", SETTINGS)
def test_spelled_words_are_what_a_plain_loop_makes(setting: str, tmp_path: Path) -> None:
    dataset = PairModule(write_tagged(tmp_path), **SETTINGS[setting]).dataset("train")
    arrays = np.load(tmp_path / "train.npz")
    spelled = [arrays["characters"][start:stop].tolist() for start, stop in pairwise(arrays["character_offsets"])]
    rows = list(pairwise(arrays["input_offsets"].tolist()))
    assert sorted(row for name in dataset.order(1, 0) for row in name) == list(range(60))
    for name in dataset.order(1, 0):
        batch = dataset[name]
        chosen = [rows[row] for row in name]
        steps = max(stop - start for start, stop in chosen)
        characters = max([len(word) for start, stop in chosen for word in spelled[start:stop]], default=0)
        assert batch.inputs.shape == (len(name), steps, 1 + characters) and batch.inputs.dtype == torch.int64
        assert batch.targets.shape == (len(name), steps)
        lengths = [steps] * len(name) if batch.lengths is None else batch.lengths.tolist()
        assert lengths == [stop - start for start, stop in chosen]
        for row, (start, stop) in enumerate(chosen):
            for step, place in enumerate(range(start, stop)):
                said = [int(arrays["inputs"][place]), *spelled[place]]
                assert batch.inputs[row, step].tolist() == said + [PADDING] * (1 + characters - len(said))
                assert int(batch.targets[row, step]) == arrays["targets"][place]
            assert not batch.inputs[row, stop - start :].any() and bool((batch.targets[row, stop - start :] == IGNORED).all())


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, not 0"),
        ({"batch_size": 4, "tokens": 0}, "tokens must be a whole number of at least 1, not 0"),
        ({"batch_size": 4, "tokens": 9, "buckets": False}, "tokens must be None with buckets=False, .* not 9"),
    ],
)
def test_bad_numbers_are_named(tmp_path: Path, keywords: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PairModule(write_sequence_pairs(tmp_path), **keywords)
