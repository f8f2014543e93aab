"""A series in time as windows, which are made when they are read and never stored.

Shapes: N steps of a split, B windows of a batch, T steps of context, H steps of horizon, F features, K targets, G numbers known
in advance.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from ..checks import check_counts
from ..sequences import Batch
from .module import Batches, SequenceModule


class Windows(Batches):
    """The windows of a series, ``stride`` steps from one to the next; an item is named by the numbers of its windows.

    A window is T steps of context and the H after them. ``inputs`` are the context (B, T, F) or, where G numbers are known in
    advance, all (B, T + H, F), whose last H steps have zeros but for the last G features. ``targets`` are (B, H, K).
    """

    def __init__(self, values: np.ndarray, window: np.ndarray, batch_size: int, stride: int = 1) -> None:
        self.values = values
        self.context, self.horizon, first, self.targets, self.known = window.tolist()
        self.origins = np.arange(max(first, self.context), len(values) - self.horizon + 1, stride)  # of the first step told
        self.batch_size = batch_size
        self.lengths = np.full(len(self.origins), self.context + (self.horizon if self.known else 0))

    def order(self, seed: int, epoch: int) -> list[tuple[int, ...]]:
        return self._cut(np.random.default_rng([seed, epoch]).permutation(len(self.origins)))

    def in_order(self) -> list[tuple[int, ...]]:
        return self._cut(np.arange(len(self.origins)))

    def _cut(self, rows: np.ndarray) -> list[tuple[int, ...]]:
        borders = [*range(0, len(rows), self.batch_size), len(rows)]
        return [tuple(rows[start:stop].tolist()) for start, stop in pairwise(borders)]

    def __getitem__(self, rows: tuple[int, ...]) -> Batch:
        steps = self.origins[list(rows)][:, None] + np.arange(-self.context, self.horizon)  # (B, T + H)
        values = torch.from_numpy(self.values[steps])
        targets = values[:, self.context :, : self.targets].clone()
        if not self.known:
            return Batch(values[:, : self.context], None, targets)
        values[:, self.context :, : values.shape[2] - self.known] = 0
        return Batch(values, None, targets)


class WindowModule(SequenceModule[Windows]):
    """Windows of a `Forecasting` corpus for ``Forecaster``; those of a training batch are drawn from (seed, epoch).

    Validation and test read every window.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        batch_size: int,
        eval_batch_size: int | None = None,
        stride: int = 1,
        seed: int = 1,
        epochs: int = 1,
    ) -> None:
        """Read the processed corpus in ``folder``: see ``SequenceModule``; ``stride`` is the steps from one training window to
        the next."""
        super().__init__(folder, batch_size=batch_size, eval_batch_size=eval_batch_size, seed=seed, epochs=epochs)
        check_counts(stride=stride)
        self.stride = stride

    def read(self, split: str, rows: int) -> Windows:
        arrays = self.arrays(split)
        if "window" not in arrays:
            raise ValueError(f"{self.folder / split}.npz is no series with windows: preprocess a corpus of Forecasting")
        windows = Windows(arrays["inputs"], arrays["window"], rows, self.stride if split == "train" else 1)
        if not len(windows.origins):
            raise ValueError(f"{self.folder / split}.npz has {len(windows.values)} steps, too few for one window")
        return windows
