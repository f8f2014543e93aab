"""Long texts for language models: tokens one after the other, with a state that is carried from batch to batch.

Shapes: B rows (one stream each), T steps of a batch, N tokens of a split.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from ..checks import check_counts, check_flags
from ..sequences import IGNORED, Batch
from .module import Batches, SequenceModule


class Columns(Batches):
    """A text cut into B columns of equal length, read side by side in steps of T: the batching of Zaremba et al. (2014).

    Only the last columns may be shorter; every token of the text but the first is a target exactly once.
    """

    def __init__(self, tokens: np.ndarray, scored: np.ndarray, batch_size: int, steps: int) -> None:
        targets = torch.from_numpy(np.where(scored[1:], tokens[1:], IGNORED).astype(np.int64))
        inputs = torch.from_numpy(tokens[:-1].astype(np.int64))
        self.height = -(-len(inputs) // batch_size)
        surplus = self.height * batch_size - len(inputs)
        self.inputs = torch.nn.functional.pad(inputs, (0, surplus)).view(batch_size, self.height)
        self.targets = torch.nn.functional.pad(targets, (0, surplus), value=IGNORED).view(batch_size, self.height)
        real = torch.arange(batch_size) * self.height
        self.lengths = (len(inputs) - real).clamp(0, self.height)  # (B,) real tokens of each column
        self.steps, self.batches = steps, -(-self.height // steps)

    def order(self, seed: int, epoch: int) -> list[int]:
        return self.in_order()

    def in_order(self) -> list[int]:
        return list(range(self.batches))

    def __getitem__(self, index: int) -> Batch:
        start, stop = index * self.steps, min((index + 1) * self.steps, self.height)
        lengths = (self.lengths - start).clamp(0, stop - start)
        fresh = torch.full((len(lengths),), index == 0)
        return Batch(
            self.inputs[:, start:stop],
            None if bool((lengths == stop - start).all()) else lengths,
            self.targets[:, start:stop],
            fresh=fresh,
        )


class Documents(Batches):
    """Documents of similar length side by side, each from its beginning; long ones go over several batches of T steps.

    An item is named (group, piece): the pieces of a group follow each other, and its first starts the state anew.
    """

    def __init__(self, tokens: np.ndarray, scored: np.ndarray, documents: np.ndarray, batch_size: int, steps: int) -> None:
        self.tokens, self.scored, self.documents, self.steps = tokens, scored, documents, steps
        sizes = np.diff(documents) - 1  # the last token of a document is only a target
        by_size = np.argsort(sizes, kind="stable")
        by_size = by_size[sizes[by_size] > 0]
        self.groups = [by_size[start : start + batch_size] for start in range(0, len(by_size), batch_size)]
        self.pieces = [-(-int(sizes[group[-1]]) // steps) for group in self.groups]
        self.sizes = sizes

    def order(self, seed: int, epoch: int) -> list[tuple[int, int]]:
        return self._pieces_of(np.random.default_rng([seed, epoch]).permutation(len(self.groups)).tolist())

    def in_order(self) -> list[tuple[int, int]]:
        return self._pieces_of(range(len(self.groups)))

    def _pieces_of(self, groups: Iterable[int]) -> list[tuple[int, int]]:
        return [(group, piece) for group in groups for piece in range(self.pieces[group])]

    def __getitem__(self, name: tuple[int, int]) -> Batch:
        group, piece = name
        rows, start = self.groups[group], piece * self.steps
        lengths = np.clip(self.sizes[rows] - start, 0, self.steps)
        inputs = torch.zeros(len(rows), int(lengths.max()), dtype=torch.int64)
        targets = torch.full_like(inputs, IGNORED)
        for row, (document, length) in enumerate(zip(rows, lengths, strict=True)):
            first = int(self.documents[document]) + (start if length else 0)
            tokens = torch.from_numpy(self.tokens[first : first + length + 1].astype(np.int64))
            scored = torch.from_numpy(self.scored[first + 1 : first + length + 1])
            inputs[row, :length] = tokens[:-1]
            targets[row, :length] = torch.where(scored, tokens[1:], IGNORED)
        return Batch(
            inputs,
            None if bool((lengths == inputs.shape[1]).all()) else torch.from_numpy(lengths),
            targets,
            fresh=torch.full((len(rows),), piece == 0),
        )


class StreamModule(SequenceModule[Batches]):
    """Batches of a stream corpus for ``LanguageModel``.

    ``joined`` reads a split as one text in ``batch_size`` columns, always in its own order. Otherwise every document starts
    with a new state, in groups of similar length, the groups in an order drawn from (seed, epoch).
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        batch_size: int,
        steps: int,
        eval_batch_size: int | None = None,
        joined: bool = True,
        seed: int = 1,
        epochs: int = 1,
    ) -> None:
        """Read the processed corpus in ``folder``: see ``SequenceModule``; ``steps`` is T, how far the gradient goes back."""
        super().__init__(folder, batch_size=batch_size, eval_batch_size=eval_batch_size, seed=seed, epochs=epochs)
        check_counts(steps=steps)
        check_flags(joined=joined)
        self.steps, self.joined = steps, joined

    def read(self, split: str, rows: int) -> Batches:
        arrays = self.arrays(split)
        tokens, scored = arrays["tokens"], arrays["scored"]
        if len(tokens) <= rows:
            raise ValueError(f"{self.folder / split}.npz holds {len(tokens)} tokens; {rows} rows need more")
        if self.joined:
            return Columns(tokens, scored, rows, self.steps)
        return Documents(tokens, scored, arrays["documents"], rows, self.steps)
