"""Augmentation: a function of seed, epoch and row alone, and each change against what it says of itself."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from corpora import write_pairs, write_sequence_pairs

from rnn_lightning import IGNORED, Batch, PairModule
from rnn_lightning.data.augment import AUGMENTATIONS, Augmentations
from rnn_lightning.data.pairs import AugmentedPairs
from rnn_lightning.pen import pen_features

TOLD: dict[str, dict[str, Any]] = {
    "time_masks": {"count": 2, "longest": 4, "share": 0.5},
    "feature_masks": {"count": 1, "widest": 3},
    "noise": {"deviation": 0.3},
    "speed": {"factors": [0.5, 2.0]},
    "pen": {"slant": 0.4, "scale": 0.3, "rotation": 0.5},
    "shift": {"steps": 2, "features": 1},
}
CHAIN = [{"name": name, **keywords} for name, keywords in TOLD.items()]


def features(row: int, steps: int = 12) -> np.ndarray:
    return np.random.default_rng(row).normal(1, 2, (steps, 4)).astype(np.float32)


def write_rows(folder: Path, *, framed: bool = False, rows: int = 40) -> Path:
    """Rows of 0 to 14 steps of four features; the targets are two labels a row, or the number of the step at each."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        lengths = draws.integers(0, 15, rows)
        offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
        inputs = draws.normal(size=(int(offsets[-1]), 4)).astype(np.float32)
        targets = np.concatenate([np.arange(n) for n in lengths]) if framed else draws.integers(1, 9, 2 * rows)
        target_offsets = offsets if framed else np.arange(rows + 1, dtype=np.int64) * 2
        arrays = {"inputs": inputs, "input_offsets": offsets, "targets": targets.astype(np.int32)}
        np.savez(folder / f"{split}.npz", target_offsets=target_offsets, **arrays)
    return folder


def by_row(module: PairModule, epoch: int) -> dict[int, tuple[bytes, bytes]]:
    """The bytes of the real steps and of the real targets of each training row, in whichever batch it is."""
    dataset, found = module.training_rows(), {}
    for name in dataset.order(module.seed, epoch):
        batch: Batch = dataset[name]
        lengths = [batch.inputs.shape[1]] * len(batch.inputs) if batch.lengths is None else batch.lengths.tolist()
        for place, row in enumerate(name[2]):
            targets = batch.targets[place]
            real = batch.inputs[place, : lengths[place]]
            found[row] = (real.numpy().tobytes(), targets[targets != IGNORED].numpy().tobytes())
            assert not batch.inputs[place, lengths[place] :].any()
    return found


@pytest.mark.parametrize("told", [*([each] for each in CHAIN), CHAIN], ids=[*TOLD, "chain"])
def test_a_row_is_changed_by_seed_epoch_and_row_alone(told: list[dict[str, Any]], tmp_path: Path) -> None:
    write_rows(tmp_path)
    one = PairModule(tmp_path, batch_size=7, augment=told, seed=3)
    epochs = [by_row(one, epoch) for epoch in range(3)]
    assert set(epochs[0]) == set(range(40))
    for other in ({"batch_size": 1}, {"batch_size": 13}, {"batch_size": 5, "buckets": False}, {"batch_size": 9, "tokens": 30}):
        assert by_row(PairModule(tmp_path, augment=told, seed=3, **other), 1) == epochs[1]
    plain = by_row(PairModule(tmp_path, batch_size=7, augment=[{"name": "noise", "deviation": 0}], seed=3), 0)
    another = by_row(PairModule(tmp_path, batch_size=7, augment=told, seed=4), 1)
    long = [row for row, (inputs, _) in plain.items() if len(inputs) > 16 * 6]
    for first, second in ((epochs[0], epochs[1]), (epochs[1], epochs[2]), (epochs[1], another), (epochs[1], plain)):
        assert sum(first[row][0] != second[row][0] for row in long) > len(long) / 2
        assert all(first[row][1] == second[row][1] for row in plain)


def test_rows_alike_are_changed_apart() -> None:
    for name, keywords in TOLD.items():
        changes = Augmentations([{"name": name, **keywords}])
        found = {changes(features(0), 1, 0, row)[0].tobytes() for row in range(40)}
        assert len(found) > 5, name


def test_one_augmentation_more_changes_nothing_of_those_before() -> None:
    masks, noise = CHAIN[0], CHAIN[2]
    once, _ = Augmentations([masks])(features(0), 1, 2, 3)
    twice, _ = Augmentations([masks, {**noise, "deviation": 0.0}])(features(0), 1, 2, 3)
    np.testing.assert_array_equal(once, twice)


def test_validation_and_test_are_left_alone(tmp_path: Path) -> None:
    write_rows(tmp_path)
    plain, changed = PairModule(tmp_path, batch_size=7), PairModule(tmp_path, batch_size=7, augment=CHAIN)
    for loader in ("val_dataloader", "test_dataloader"):
        for one, other in zip(getattr(plain, loader)(), getattr(changed, loader)(), strict=True):
            assert torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)
    names = zip(plain.dataset("train").order(1, 5), changed.training_rows().order(1, 5), strict=True)
    assert all(rows == augmented[2] for rows, augmented in names)


def test_targets_of_steps_go_with_them(tmp_path: Path) -> None:
    """Features that say their step still do after any change of speed, to half a step, and so does the target."""
    write_rows(tmp_path, framed=True)
    module = PairModule(tmp_path, batch_size=6, augment=[{"name": "speed", "factors": [0.4, 2.5]}])
    dataset = module.training_rows()
    assert isinstance(dataset, AugmentedPairs) and dataset.framed
    targets = dataset.pairs.sequences
    assert targets is not None
    dataset.pairs.inputs.values = targets.values[:].astype(np.float32)[:, np.newaxis]
    lengths, seen = dataset.pairs.lengths, set()
    for seed, epoch, rows in dataset.order(1, 0):
        batch = dataset[(seed, epoch, rows)]
        assert batch.targets.shape == batch.inputs.shape[:2]
        assert (batch.lengths is None) == (batch.target_lengths is None)
        real = batch.targets != IGNORED
        assert ((batch.inputs[:, :, 0] - batch.targets)[real].abs() <= 0.5).all()
        for place, row in enumerate(rows):
            steps = batch.targets[place][real[place]]
            seen.add(len(steps) - int(lengths[row]))
            assert not len(steps) or int(steps[0]) == 0
            assert len(steps) < 2 or int(steps[-1]) == lengths[row] - 1
    assert min(seen) < 0 < max(seen)


def changed(name: str, told: dict[str, Any], row: int) -> tuple[np.ndarray, np.ndarray]:
    before = features(row)
    return before, Augmentations([{"name": name, **told}])(before, 1, 0, row)[0]


def runs(mask: np.ndarray) -> list[int]:
    """The lengths of the stretches that ``mask`` (N,) covers."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [int(stop - start) for start, stop in pairwise(edges)][::2]


@pytest.mark.parametrize("axis", [0, 1])
def test_masks_are_spans_of_the_mean_no_longer_than_told(axis: int) -> None:
    name, told = ("time_masks", {"count": 1, "longest": 5, "share": 0.35}) if axis == 0 else ("feature_masks", {"widest": 3})
    widths = set()
    for row in range(300):
        before, after = changed(name, {**told, "count": 1}, row)
        covered = (before != after).any(1 - axis)
        widths.add(int(covered.sum()))
        assert len(runs(covered)) <= 1
        mean = np.broadcast_to(before.mean(0), before.shape)
        np.testing.assert_array_equal(after.take(np.flatnonzero(covered), axis), mean.take(np.flatnonzero(covered), axis))
    assert widths == ({0, 1, 2, 3, 4} if axis == 0 else {0, 1, 2, 3})  # 0.35 of 12 steps are 4


def test_noise_has_its_deviation_in_deviations_of_the_feature() -> None:
    before = np.random.default_rng(0).normal(5, [1, 10, 0.1, 0], (20_000, 4)).astype(np.float32)
    after, _ = Augmentations([{"name": "noise", "deviation": 0.5}])(before, 1, 0, 0)
    np.testing.assert_allclose((after - before).std(0), 0.5 * before.std(0), rtol=0.03, atol=1e-6)
    assert np.abs((after - before).mean(0) / (before.std(0) + 1e-9)).max() < 0.02


def test_speed_reads_a_straight_line_as_a_straight_line() -> None:
    line = np.linspace([0, 1], [22, -5], 12).astype(np.float32)
    sizes = set()
    for row in range(60):
        after, _ = Augmentations([{"name": "speed", "factors": [0.5, 2.0]}])(line, 1, 0, row)
        sizes.add(len(after))
        np.testing.assert_allclose(after, np.linspace(line[0], line[-1], len(after)), atol=1e-4)
    assert min(sizes) in (6, 7) and max(sizes) in range(20, 25)
    one, _ = Augmentations([{"name": "speed", "factors": [1.0, 1.0]}])(line, 1, 0, 0)
    np.testing.assert_array_equal(one, line)


def test_a_shift_moves_the_picture_and_fills_what_comes_into_view() -> None:
    before = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
    framed = np.pad(before, 9)
    found = set()
    for row in range(200):
        after, _ = Augmentations([{"name": "shift", "steps": 9, "features": 1}])(before, 1, 0, row)
        ways = [
            (down, right)
            for down in range(-9, 10)
            for right in range(-1, 2)
            if np.array_equal(framed[9 - down : 13 - down, 9 - right : 12 - right], after)
        ]
        assert ways
        found.update(ways)
    assert {right for _, right in found} == {-1, 0, 1} and {down for down, _ in found} == set(range(-9, 10))


def test_a_pen_leans_as_far_as_told_and_draws_the_same_writing() -> None:
    bar = pen_features([[[0, 0], [0, 10]]])
    leans = []
    for row in range(200):
        after, _ = Augmentations([{"name": "pen", "slant": 0.5}])(bar, 1, 0, row)
        way = after[:, :2].sum(0)
        leans.append(way[0] / way[1])
        np.testing.assert_allclose(after[:, 1:], bar[:, 1:], atol=1e-6)
    assert -0.5 <= min(leans) < -0.4 and 0.4 < max(leans) <= 0.5
    sizes = [Augmentations([{"name": "pen", "scale": 0.25}])(bar, 1, 0, row)[0][:, 1].sum() for row in range(200)]
    assert 0.8 - 1e-4 <= min(sizes) < 0.85 and 1.2 < max(sizes) <= 1.25 + 1e-4
    turned = [Augmentations([{"name": "pen", "rotation": 0.2}])(bar, 1, 0, row)[0][:, :2].sum(0) for row in range(200)]
    np.testing.assert_allclose(np.hypot(*np.transpose(turned)), 1, atol=1e-4)
    assert 0.15 < max(abs(x) for x, _ in turned) <= np.sin(0.2) + 1e-4


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"name": "blur"}, r"augment name must be one of \['feature_masks', .*\], not 'blur'"),
        ({"deviation": 1}, "augment name must be one of .*, not None"),
        ({"name": "noise", "deviation": -1}, "augment 'noise': deviation must be a finite number of at least 0, not -1"),
        ({"name": "noise"}, "augment 'noise': .*'deviation'"),
        (
            {"name": "speed", "factors": [1.1, 0.9]},
            r"augment 'speed': factors: the most must be .* of at least 1.1, not 0.9",
        ),
        ({"name": "time_masks", "share": 0}, r"augment 'time_masks': share must be a number in \(0, 1\], not 0"),
        ({"name": "time_masks", "count": 0}, "augment 'time_masks': count must be a whole number of at least 1, not 0"),
        ({"name": "shift", "step": 1}, "augment 'shift': .*'step'"),
        ({"name": "pen", "slant": float("nan")}, "augment 'pen': slant must be a finite number of at least 0, not nan"),
    ],
)
def test_what_is_no_augmentation_is_refused(told: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Augmentations([told])


def test_what_has_no_features_to_change_is_refused(tmp_path: Path) -> None:
    module = PairModule(write_sequence_pairs(tmp_path / "tokens"), batch_size=4, augment=[CHAIN[2]])
    with pytest.raises(ValueError, match=r"augment changes features, float32 of shape \(N, F\); the inputs are int32 of shape"):
        module.train_dataloader()
    module = PairModule(write_pairs(tmp_path / "pairs"), batch_size=60, augment=[{"name": "pen", "slant": 0.1}])
    with pytest.raises(ValueError, match=r"pen changes the features .* of a pen, not 2 others"):
        next(iter(module.train_dataloader()))


def test_every_augmentation_is_tried() -> None:
    assert set(TOLD) == set(AUGMENTATIONS)
