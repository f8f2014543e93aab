"""Sequences with a target each, a value or another sequence, batched by similar length.

Shapes: R rows of a split, B rows of a batch, T steps of the longest input, F features, U steps of the longest target, N real
words of a batch, C characters of its longest word.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import check_counts, check_flags
from ..sequences import IGNORED, PADDING, Batch, length_mask
from ..sliced import Values
from .augment import Augmentations
from .module import Batches, SequenceModule


class Rows:
    """Rows of any length, one after the other: row r is ``values[offsets[r]:offsets[r + 1]]``, tokens or features."""

    def __init__(self, values: Values, offsets: np.ndarray) -> None:
        self.values, self.offsets = values, offsets
        self.lengths = np.diff(offsets)  # (R,)

    def joined(self, rows: Iterable[int]) -> np.ndarray:
        """The ``rows`` one after the other."""
        return read_joined(self.values, ((self.offsets[row], self.offsets[row + 1]) for row in rows))

    def padded(self, rows: Sequence[int], filling: int) -> tuple[Tensor, Tensor | None]:
        """The ``rows`` (B,) side by side, (B, T) or (B, T, F), and their lengths (B,), ``None`` where all are the longest."""
        return side_by_side(self.joined(rows), self.lengths[list(rows)], filling)


def read_joined(values: Values, places: Iterable[tuple[int, int]]) -> np.ndarray:
    """The slices of ``values`` from start to stop, for each of the ``places``, one after the other; int32 becomes int64."""
    read = np.concatenate([values[:0], *(values[start:stop] for start, stop in places)])
    return read.astype(np.int64) if read.dtype == np.int32 else read


def side_by_side(joined: np.ndarray, lengths: np.ndarray, filling: int) -> tuple[Tensor, Tensor | None]:
    """Rows of these ``lengths`` (B,), ``joined`` one after the other, as one (B, T, ...); and the lengths, ``None`` where all
    are T."""
    longest = int(lengths.max()) if len(lengths) else 0
    if bool((lengths == longest).all()):
        return torch.from_numpy(joined.reshape(len(lengths), longest, *joined.shape[1:])), None
    padded = np.full((len(lengths), longest, *joined.shape[1:]), filling, dtype=joined.dtype)
    padded[np.arange(longest) < lengths[:, np.newaxis]] = joined
    return torch.from_numpy(padded), torch.from_numpy(lengths)


class Pairs(Batches):
    """The rows of a pairs corpus, similar lengths together; an item is named by the rows that it holds.

    A row is as long as the longer of its two sides. The rows are sorted by that and cut into batches; rows of equal length
    are in random order. So the lengths that a batch holds, and with them the number of batches, are the same in every epoch.
    """

    def __init__(
        self, arrays: Mapping[str, Values], batch_size: int, *, tokens: int | None = None, buckets: bool = True
    ) -> None:
        self.inputs = Rows(arrays["inputs"], np.array(arrays["input_offsets"][:]))
        self.lengths = self.inputs.lengths  # (R,)
        self.longest, self.sequences = self.lengths, None  # (R,)
        if "target_offsets" in arrays:
            self.sequences = Rows(arrays["targets"], np.array(arrays["target_offsets"][:]))
            self.longest = np.maximum(self.lengths, self.sequences.lengths)
        else:
            self.values = torch.from_numpy(read_joined(arrays["targets"], [(0, len(self.lengths))]))  # (R,)
        self.spellings = (arrays["characters"], arrays["character_offsets"]) if "characters" in arrays else None
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
        inputs, lengths = self.inputs.padded(rows, 0)
        if self.spellings is not None:
            inputs = self._spelled(rows, inputs, *self.spellings)
        if self.sequences is None:
            return Batch(inputs, lengths, self.values[list(rows)])
        targets, target_lengths = self.sequences.padded(rows, IGNORED)
        return Batch(inputs, lengths, targets, target_lengths)

    def _spelled(self, rows: tuple[int, ...], words: Tensor, characters: Values, offsets: Values) -> Tensor:
        """The ``words`` (B, T) of ``rows``, each with its ``characters``, which lie at ``offsets``: (B, T, 1 + C)."""
        bounds = self.inputs.offsets
        of_rows = [np.array(offsets[bounds[row] : bounds[row + 1] + 1]) for row in rows]  # (words of the row + 1,) each
        sizes = np.concatenate([np.diff(some) for some in of_rows])  # (N,)
        joined = read_joined(characters, ((some[0], some[-1]) for some in of_rows))
        spellings, _ = side_by_side(joined, sizes, PADDING)  # (N, C)
        spelled = words.new_full((*words.shape, 1 + spellings.shape[1]), PADDING)
        spelled[:, :, 0] = words
        spelled[:, :, 1:][length_mask(torch.from_numpy(self.lengths[list(rows)]), words.shape[1])] = spellings
        return spelled


class AugmentedPairs(Batches):
    """The rows of ``pairs``, changed as ``augmentations`` say; an item is named by seed, epoch and rows.

    Validation and test read ``pairs`` themselves.
    """

    def __init__(self, pairs: Pairs, augmentations: Augmentations) -> None:
        values = pairs.inputs.values
        if not np.issubdtype(values.dtype, np.floating) or len(values.shape) != 2:
            kind = f"{values.dtype} of shape (N{', F' * (len(values.shape) - 1)})"
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
            changed, places = self.augmentations(inputs.joined([row]), seed, epoch, row)
            drawn.append(changed)
            steps.append(places)
        sizes = np.array([len(changed) for changed in drawn])
        padded, lengths = side_by_side(np.concatenate(drawn), sizes, 0)
        if not self.framed:
            return batch._replace(inputs=padded, lengths=lengths)
        framed = [batch.targets[at].numpy()[places] for at, places in enumerate(steps)]
        return Batch(padded, lengths, *side_by_side(np.concatenate(framed), sizes, IGNORED))


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
        arrays = self.mapped(split)
        if len(arrays["input_offsets"]) < 2:
            raise ValueError(f"{self.folder / split}.npz holds no rows")
        return Pairs(arrays, rows, tokens=self.tokens, buckets=self.buckets)

    def training_rows(self) -> Batches:
        pairs = self.dataset("train")
        return AugmentedPairs(pairs, self.augmentations) if self.augmentations else pairs
