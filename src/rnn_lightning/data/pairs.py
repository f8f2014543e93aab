"""Sequences with a target each, a value or another sequence, batched by similar length.

Shapes: R rows of a split, B rows of a batch, T steps of the longest input, F features, U steps of the longest target, N real
words of a batch, C characters of its longest word.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import check_counts, check_flags
from ..sequences import IGNORED, PADDING, Batch, length_mask
from .augment import Augmentations
from .module import Batches, SequenceModule


class Rows:
    """Rows of any length, one after the other: row r is ``values[offsets[r]:offsets[r + 1]]``, tokens or features."""

    def __init__(self, values: np.ndarray, offsets: np.ndarray) -> None:
        self.values, self.starts = torch.from_numpy(values), torch.from_numpy(offsets[:-1])
        if self.values.dtype == torch.int32:
            self.values = self.values.long()
        self.lengths = np.diff(offsets)  # (R,)

    def padded(self, rows: Tensor, filling: int) -> tuple[Tensor, Tensor | None]:
        """The ``rows`` (B,) side by side, (B, T) or (B, T, F), and their lengths (B,), ``None`` where all are the longest."""
        lengths = torch.from_numpy(self.lengths)[rows]
        real = length_mask(lengths, int(lengths.max()) if len(lengths) else 0)  # (B, T)
        steps = torch.arange(real.shape[1])
        padded = self.values[torch.where(real, self.starts[rows].unsqueeze(1) + steps, 0)]
        if bool(real.all()):
            return padded, None
        padded[~real] = filling
        return padded, lengths


class Pairs(Batches):
    """The rows of a pairs corpus, similar lengths together; an item is named by the rows that it holds.

    A row is as long as the longer of its two sides. The rows are sorted by that and cut into batches; rows of equal length
    are in random order. So the lengths that a batch holds, and with them the number of batches, are the same in every epoch.
    """

    def __init__(
        self, arrays: dict[str, np.ndarray], batch_size: int, *, tokens: int | None = None, buckets: bool = True
    ) -> None:
        self.inputs = Rows(arrays["inputs"], arrays["input_offsets"])
        self.lengths = self.inputs.lengths  # (R,)
        self.values, self.sequences = torch.from_numpy(arrays["targets"]), None
        if self.values.dtype == torch.int32:
            self.values = self.values.long()
        self.longest = self.lengths  # (R,)
        if "target_offsets" in arrays:
            self.sequences = Rows(arrays["targets"], arrays["target_offsets"])
            self.longest = np.maximum(self.lengths, self.sequences.lengths)
        self.spellings = Rows(arrays["characters"], arrays["character_offsets"]) if "characters" in arrays else None
        self.batch_size, self.tokens, self.buckets = batch_size, tokens, buckets
        self.cuts = self._cuts()

    def order(self, seed: int, epoch: int) -> list[tuple[int, ...]]:
        draws = np.random.default_rng([seed, epoch])
        shuffled = draws.permutation(len(self.longest))
        batches = self._cut(shuffled[np.argsort(self.longest[shuffled], kind="stable")] if self.buckets else shuffled)
        return [batches[index] for index in draws.permutation(len(batches))]

    def in_order(self) -> list[tuple[int, ...]]:
        return self._cut(np.argsort(self.longest, kind="stable"))

    def as_stored(self) -> list[tuple[int, ...]]:
        rows = range(len(self.longest))
        return [tuple(rows[start : start + self.batch_size]) for start in rows[:: self.batch_size]]

    def _cut(self, rows: np.ndarray) -> list[tuple[int, ...]]:
        return [tuple(rows[start:stop].tolist()) for start, stop in pairwise(self.cuts)]

    def _cuts(self) -> list[int]:
        """Where the batches begin among the rows sorted by length, and where the last of them ends.

        A batch takes rows until it has ``batch_size`` or the next would make it more than ``tokens``, padding and all.
        """
        if self.tokens is None:
            return [*range(0, len(self.longest), self.batch_size), len(self.longest)]
        by_length, cuts = np.sort(self.longest), [0]
        while cuts[-1] < len(by_length):
            ahead = by_length[cuts[-1] : cuts[-1] + self.batch_size]
            sizes = ahead * np.arange(1, len(ahead) + 1)  # of a batch that ends with this row
            cuts.append(cuts[-1] + max(1, int(np.searchsorted(sizes, self.tokens, side="right"))))
        return cuts

    def __getitem__(self, rows: tuple[int, ...]) -> Batch:
        chosen = torch.tensor(rows)
        inputs, lengths = self.inputs.padded(chosen, 0)
        if self.spellings is not None:
            inputs = self._spelled(chosen, inputs, self.spellings)
        if self.sequences is None:
            return Batch(inputs, lengths, self.values[chosen])
        targets, target_lengths = self.sequences.padded(chosen, IGNORED)
        return Batch(inputs, lengths, targets, target_lengths)

    def _spelled(self, rows: Tensor, words: Tensor, spellings: Rows) -> Tensor:
        """The ``words`` (B, T) of ``rows`` (B,), each with its characters: (B, T, 1 + C)."""
        real = length_mask(torch.from_numpy(self.lengths)[rows], words.shape[1])  # (B, T)
        places = (self.inputs.starts[rows].unsqueeze(1) + torch.arange(words.shape[1]))[real]  # (N,)
        characters, _ = spellings.padded(places, PADDING)  # (N, C)
        spelled = words.new_full((*words.shape, 1 + characters.shape[1]), PADDING)
        spelled[:, :, 0] = words
        spelled[:, :, 1:][real] = characters
        return spelled


class AugmentedPairs(Batches):
    """The rows of ``pairs``, changed as ``augmentations`` say; an item is named by seed, epoch and rows.

    Validation and test read ``pairs`` themselves.
    """

    def __init__(self, pairs: Pairs, augmentations: Augmentations) -> None:
        if not pairs.inputs.values.is_floating_point() or pairs.inputs.values.dim() != 2:
            kind = f"{pairs.inputs.values.dtype} of shape (N{', F' * (pairs.inputs.values.dim() - 1)})"
            raise ValueError(f"augment changes features, float32 of shape (N, F); the inputs are {kind}")
        self.pairs, self.augmentations = pairs, augmentations
        targets = pairs.sequences
        self.framed = targets is not None and np.array_equal(targets.lengths, pairs.lengths)

    def order(self, seed: int, epoch: int) -> list[tuple[int, int, tuple[int, ...]]]:
        return [(seed, epoch, rows) for rows in self.pairs.order(seed, epoch)]

    def in_order(self) -> list[tuple[int, int, tuple[int, ...]]]:
        return [(0, 0, rows) for rows in self.pairs.in_order()]

    def __getitem__(self, name: tuple[int, int, tuple[int, ...]]) -> Batch:
        seed, epoch, rows = name
        batch, inputs, steps = self.pairs[rows], self.pairs.inputs, []
        drawn = []
        for row in rows:
            start = int(inputs.starts[row])
            features = inputs.values[start : start + int(inputs.lengths[row])].numpy()
            changed, places = self.augmentations(features, seed, epoch, row)
            drawn.append(changed)
            steps.append(places)
        padded, lengths = side_by_side(drawn, 0)
        if not self.framed:
            return batch._replace(inputs=padded, lengths=lengths)
        framed = [batch.targets[at].numpy()[places] for at, places in enumerate(steps)]
        return Batch(padded, lengths, *side_by_side(framed, IGNORED))


def side_by_side(rows: Sequence[np.ndarray], filling: int) -> tuple[Tensor, Tensor | None]:
    """The ``rows`` (B,) as one (B, T, ...), and their lengths (B,), ``None`` where all are the longest."""
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(row) for row in rows])])
    return Rows(np.concatenate(rows), offsets).padded(torch.arange(len(rows)), filling)


class PairModule(SequenceModule[Pairs]):
    """Batches of a pairs corpus: rows of similar length together, which rows and in which order drawn from (seed, epoch).

    Where words are spelled, ``inputs`` is (B, T, 1 + C): the word, then its characters, filled up with `PADDING`.
    Where a target is a sequence, a batch has ``targets`` (B, U), padded with `IGNORED`, and their ``target_lengths`` (B,),
    ``None`` where all are U.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        batch_size: int,
        eval_batch_size: int | None = None,
        tokens: int | None = None,
        buckets: bool = True,
        augment: Sequence[Mapping[str, Any]] | None = None,
        seed: int = 1,
        epochs: int = 1,
    ) -> None:
        """Read the processed corpus in ``folder``: see ``SequenceModule``.

        Args:
            tokens: steps that a batch may have, padding included, on its longer side: rows times longest row. It then has
                fewer rows than ``batch_size`` where these are long; a single row may be longer.
            buckets: whether training batches hold rows of similar length; if not, any ``batch_size`` rows.
            augment: what is done to the features of a training row, in this order: ``{"name": ..., ...}`` with the keywords
                of one of ``AUGMENTATIONS``. Rows are put together by the lengths that they have before.

        Raises:
            ValueError: for a number below 1, a number of tokens without buckets, or an augmentation that there is not.
        """
        super().__init__(folder, batch_size=batch_size, eval_batch_size=eval_batch_size, seed=seed, epochs=epochs)
        check_flags(buckets=buckets)
        if tokens is not None:
            check_counts(tokens=tokens)
            if not buckets:
                raise ValueError(f"tokens must be None with buckets=False, where batches are of any lengths, not {tokens}")
        self.tokens, self.buckets = tokens, buckets
        self.augmentations = Augmentations(augment) if augment is not None and augment != [] else None

    def read(self, split: str, rows: int) -> Pairs:
        arrays = self.arrays(split)
        if len(arrays["input_offsets"]) < 2:
            raise ValueError(f"{self.folder / split}.npz holds no rows")
        return Pairs(arrays, rows, tokens=self.tokens, buckets=self.buckets)

    def training_rows(self) -> Batches:
        pairs = self.dataset("train")
        return AugmentedPairs(pairs, self.augmentations) if self.augmentations else pairs
