"""Sequences with a target each, batched by similar length.

Shapes: R rows of a split, B rows of a batch, T steps of the longest, F features.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from ..sequences import Batch
from .module import Batches, SequenceModule


class Pairs(Batches):
    """The rows of a pairs corpus, similar lengths together; an item is named by the rows that it holds."""

    def __init__(self, arrays: dict[str, np.ndarray], batch_size: int) -> None:
        self.inputs, self.offsets = torch.from_numpy(arrays["inputs"]), arrays["input_offsets"]
        if self.inputs.dtype == torch.int32:
            self.inputs = self.inputs.long()
        self.targets = torch.from_numpy(arrays["targets"])
        self.lengths = np.diff(self.offsets)  # (R,)
        self.batch_size = batch_size

    def order(self, seed: int, epoch: int) -> list[tuple[int, ...]]:
        draws = np.random.default_rng([seed, epoch])
        shuffled = draws.permutation(len(self.lengths))
        batches = self._cut(shuffled[np.argsort(self.lengths[shuffled], kind="stable")])
        return [batches[place] for place in draws.permutation(len(batches))]

    def in_order(self) -> list[tuple[int, ...]]:
        return self._cut(np.argsort(self.lengths, kind="stable"))

    def _cut(self, rows: np.ndarray) -> list[tuple[int, ...]]:
        cuts = [*range(0, len(rows), self.batch_size), len(rows)]
        return [tuple(rows[start:stop].tolist()) for start, stop in pairwise(cuts)]

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
        """Read the processed corpus in ``folder``: see ``SequenceModule``."""
        super().__init__(folder, batch_size=batch_size, eval_batch_size=eval_batch_size, seed=seed, epochs=epochs)

    def dataset(self, split: str) -> Pairs:
        arrays = self.arrays(split)
        if len(arrays["input_offsets"]) < 2:
            raise ValueError(f"{self.folder / split}.npz holds no rows")
        return Pairs(arrays, self.batch_size if split == "train" else self.eval_batch_size)
