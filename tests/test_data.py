"""Batches: every target once, orders that are a function of (seed, epoch), and a place to go on from."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from corpora import write_pairs, write_stream

from rnn_lightning import IGNORED, Batch, PairModule, StreamModule
from rnn_lightning.data.module import EpochOrder


def transitions(batches: list[Batch]) -> Counter[tuple[int, int]]:
    """How often each (token, next token) is asked for, over the real steps."""
    seen: Counter[tuple[int, int]] = Counter()
    for batch in batches:
        for row, (inputs, targets) in enumerate(zip(batch.inputs, batch.targets, strict=True)):
            length = inputs.shape[0] if batch.lengths is None else int(batch.lengths[row])
            real = zip(inputs[:length].tolist(), targets[:length].tolist(), strict=True)
            seen.update(pair for pair in real if pair[1] != IGNORED)
    return seen


@pytest.mark.parametrize("rows", [1, 4, 7])
@pytest.mark.parametrize("steps", [1, 10, 1000])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_joined_columns_ask_for_every_token_but_the_first_once(tmp_path: Path, rows: int, steps: int, split: str) -> None:
    module = StreamModule(write_stream(tmp_path), batch_size=rows, steps=steps)
    tokens = np.load(tmp_path / f"{split}.npz")["tokens"].tolist()
    batches = [module.dataset(split)[name] for name in module.dataset(split).in_order()]
    assert transitions(batches) == Counter(itertools.pairwise(tokens))


@pytest.mark.parametrize("rows", [1, 4, 7])
@pytest.mark.parametrize("steps", [3, 1000])
def test_documents_ask_for_every_token_but_the_first_of_each_once(tmp_path: Path, rows: int, steps: int) -> None:
    module = StreamModule(write_stream(tmp_path), batch_size=rows, steps=steps, joined=False)
    arrays, dataset = np.load(tmp_path / "train.npz"), module.dataset("train")
    expected: Counter[tuple[int, int]] = Counter()
    for first, last in zip(arrays["documents"], arrays["documents"][1:], strict=False):
        tokens = arrays["tokens"][first:last].tolist()
        expected.update(itertools.pairwise(tokens))
    for epoch in (0, 1):
        assert transitions([dataset[name] for name in dataset.order(1, epoch)]) == expected


def test_documents_are_read_from_a_fresh_state_and_in_one_piece_after_the_other(tmp_path: Path) -> None:
    module = StreamModule(write_stream(tmp_path), batch_size=4, steps=3, joined=False)
    dataset = module.dataset("train")
    names = dataset.order(1, 0)
    for before, after in itertools.pairwise(names):
        assert after == (before[0], before[1] + 1) or after[1] == 0
    assert all(bool(dataset[name].fresh.all()) == (name[1] == 0) for name in names)


def test_targets_that_are_not_scored_are_ignored(tmp_path: Path) -> None:
    tokens, scored = np.arange(9, dtype=np.int32), np.arange(9) % 2 == 0
    np.savez(tmp_path / "train.npz", tokens=tokens, documents=np.array([0, 9]), scored=scored)
    for joined in (True, False):
        module = StreamModule(tmp_path, batch_size=1, steps=20, joined=joined)
        dataset = module.dataset("train")
        batch = dataset[dataset.order(1, 0)[0]]
        assert batch.targets[0].tolist() == [IGNORED, 2, IGNORED, 4, IGNORED, 6, IGNORED, 8]


def test_pairs_come_whole_each_row_once_and_with_rows_of_their_length(tmp_path: Path) -> None:
    module = PairModule(write_pairs(tmp_path), batch_size=7, seed=3)
    dataset, arrays = module.dataset("train"), np.load(tmp_path / "train.npz")
    order = dataset.order(1, 0)
    assert sorted(row for batch in order for row in batch) == list(range(60))
    for rows in order:
        batch = dataset[rows]
        for place, row in enumerate(rows):
            first, last = arrays["input_offsets"][row : row + 2]
            length = batch.inputs.shape[1] if batch.lengths is None else int(batch.lengths[place])
            assert torch.equal(batch.inputs[place, :length], torch.from_numpy(arrays["inputs"][first:last]))
            assert not batch.inputs[place, length:].any()
            assert batch.targets[place] == arrays["targets"][row]
    real = sum(int(dataset.lengths[list(rows)].sum()) for rows in order)
    assert real / sum(len(rows) * int(dataset.lengths[list(rows)].max()) for rows in order) > 0.9


@pytest.mark.parametrize("kind", [PairModule, StreamModule])
def test_the_order_is_a_function_of_seed_and_epoch(tmp_path: Path, kind: type) -> None:
    more = {"steps": 4, "joined": False} if kind is StreamModule else {}
    folder = write_stream(tmp_path) if kind is StreamModule else write_pairs(tmp_path)

    def order(seed: int, epoch: int) -> list:
        module = kind(folder, batch_size=4, **more)
        return module.dataset("train").order(seed, epoch)

    assert order(1, 5) == order(1, 5)
    assert order(1, 5) != order(1, 6)
    assert order(1, 5) != order(2, 5)


@pytest.mark.parametrize("cursor", range(13))
def test_going_on_from_any_place_is_the_rest_of_the_whole(cursor: int) -> None:
    def order(epoch: int) -> list[str]:
        return [f"{epoch}{letter}" for letter in "abcd"]

    whole = list(EpochOrder(order, epochs=3, cursor=0))
    assert whole == [f"{epoch}{letter}" for epoch in range(3) for letter in "abcd"]
    resumed = EpochOrder(order, epochs=3, cursor=cursor)
    assert list(resumed) == whole[cursor % 12 :]
    assert list(resumed) == whole


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"batch_size": 0, "steps": 3}, "batch_size must be a whole number of at least 1, not 0"),
        ({"batch_size": 2, "steps": -1}, "steps must be a whole number of at least 1, not -1"),
        ({"batch_size": 2, "steps": 3, "epochs": 0}, "epochs must be a whole number of at least 1, not 0"),
    ],
)
def test_bad_numbers_are_named(tmp_path: Path, keywords: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        StreamModule(write_stream(tmp_path), **keywords)


def test_a_missing_or_too_short_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere/train.npz is missing: preprocess the corpus first"):
        StreamModule(tmp_path / "nowhere", batch_size=2, steps=3).train_dataloader()
    with pytest.raises(ValueError, match=r"validation.npz holds 150 tokens; 400 rows need more"):
        StreamModule(write_stream(tmp_path), batch_size=400, steps=3).val_dataloader()


@pytest.mark.parametrize("kind", [PairModule, StreamModule])
def test_a_split_is_read_once_and_its_steps_are_known_before(
    tmp_path: Path, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_stream(tmp_path) if kind is StreamModule else write_pairs(tmp_path)
    module = kind(folder, batch_size=4, epochs=3, **({"steps": 4} if kind is StreamModule else {}))
    read: list[str] = []
    mapped = module.mapped
    monkeypatch.setattr(module, "mapped", lambda split: read.append(split) or mapped(split))
    planned = module.planned_steps()
    assert [len(list(module.train_dataloader())) for _ in range(2)] == [planned, planned] and read == ["train"]
    module.batch_size = 8
    assert module.planned_steps() == len(module.train_dataloader()) < planned and read == ["train", "train"]
    assert list(module.val_dataloader()) and len(list(module.test_dataloader())) == len(module.predict_dataloader())
    assert read == ["train", "train", "validation", "test"]


def test_what_is_to_be_overfitted_is_the_same_in_each_epoch(tmp_path: Path) -> None:
    sampler = PairModule(write_pairs(tmp_path), batch_size=4)._order()
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.repeated = True
    sampler.set_epoch(2)
    assert list(sampler) == first
