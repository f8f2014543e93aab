"""Tiny processed corpora for tests of data modules, systems and stages."""

from pathlib import Path

import numpy as np

VOCABULARY = 20


def write_stream(folder: Path, *, tokens: int = 700, document: int = 15) -> Path:
    """Random tokens of 0..19 in documents of random length, every one of them scored."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in {"train": tokens, "validation": 150, "test": 157}.items():
        cuts = np.sort(draws.choice(np.arange(1, count), count // document, replace=False))
        np.savez(
            folder / f"{split}.npz",
            tokens=draws.integers(0, VOCABULARY, count).astype(np.int32),
            documents=np.array([0, *cuts, count], dtype=np.int64),
            scored=np.ones(count, dtype=bool),
        )
    return folder


def write_pairs(folder: Path, *, rows: int = 60) -> Path:
    """Rows of 1 to 9 steps of two features; the target is the sum of the first feature."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        lengths = draws.integers(1, 10, rows)
        inputs = draws.random((int(lengths.sum()), 2), dtype=np.float32)
        offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
        targets = np.add.reduceat(inputs[:, 0], offsets[:-1])
        np.savez(folder / f"{split}.npz", inputs=inputs, input_offsets=offsets, targets=targets)
    return folder
