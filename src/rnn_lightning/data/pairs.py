"""Sequences with a target each, batched by similar length.

Shapes: R rows of a split, B rows of a batch, T steps of the longest, F features.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from ..sequences import Batch
from .module import SequenceModule


class Pairs(Dataset):
    """The rows of a pairs corpus; an item is named by the rows that it holds."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.inputs, self.offsets = torch.from_numpy(arrays["inputs"]), arrays["input_offsets"]
        if self.inputs.dtype == torch.int32:
            self.inputs = self.inputs.long()
        self.targets = torch.from_numpy(arrays["targets"])
        self.lengths = np.diff(self.offsets)  # (R,)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: tuple[int, ...]) -> Batch:
        lengths = torch.from_numpy(self.lengths[list(rows)])
        inputs = self.inputs.new_zeros(len(rows), int(lengths.max()), *self.inputs.shape[1:])
        for place, row in enumerate(rows):
            inputs[place, : lengths[place]] = self.inputs[self.offsets[row] : self.offsets[row + 1]]
        full = bool((lengths == inputs.shape[1]).all())
        return Batch(inputs, None if full else lengths, self.targets[list(rows)])


class PairModule(SequenceModule):
    """Batches of a pairs corpus: rows of similar length together, which rows and in which order drawn from (seed, epoch)."""

    def __init__(
        self, folder: str | Path, *, batch_size: int, eval_batch_size: int | None = None, seed: int = 1, epochs: int = 1
    ) -> None:
        """Read the processed corpus in ``folder``.

        Raises:
            ValueError: for a number below 1.
        """
        super().__init__(folder, seed=seed, epochs=epochs)
        self.batch_size = batch_size
        self.eval_batch_size = batch_size if eval_batch_size is None else eval_batch_size
        for name, number in {"batch_size": self.batch_size, "eval_batch_size": self.eval_batch_size}.items():
            if number < 1:
                raise ValueError(f"{name} must be at least 1, not {number}")

    def dataset(self, split: str) -> Dataset:
        dataset = Pairs(self.arrays(split))
        if not len(dataset):
            raise ValueError(f"{self.folder / split}.npz holds no rows")
        return dataset

    def order(self, dataset: Pairs, epoch: int) -> list[tuple[int, ...]]:
        draws = np.random.default_rng([self.seed, epoch])
        shuffled = draws.permutation(len(dataset))
        batches = self._cut(shuffled[np.argsort(dataset.lengths[shuffled], kind="stable")], self.batch_size)
        return [batches[place] for place in draws.permutation(len(batches))]

    def evaluation_order(self, dataset: Pairs) -> list[tuple[int, ...]]:
        return self._cut(np.argsort(dataset.lengths, kind="stable"), self.eval_batch_size)

    @staticmethod
    def _cut(rows: np.ndarray, size: int) -> list[tuple[int, ...]]:
        return [tuple(map(int, rows[start:stop])) for start, stop in pairwise([*range(0, len(rows), size), len(rows)])]
