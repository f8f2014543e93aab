"""Long texts for language models: tokens one after the other, with a state that is carried from batch to batch.

Shapes: B rows (one stream each), T steps of a batch, N tokens of a split.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from ..checks import check_counts, check_flags
from ..sequences import IGNORED, Batch
from ..sliced import Values
from .module import Batches, SequenceModule


class Columns(Batches):
    """A text cut into B columns of equal length, read side by side in steps of T: the batching of Zaremba et al. (2014).

    Only the last columns may be shorter; every token of the text but the first is a target exactly once.
    """

    def __init__(self, tokens: Values, scored: Values, batch_size: int, steps: int) -> None:
        self.tokens, self.scored = tokens, scored
        inputs = len(tokens) - 1
        self.height = -(-inputs // batch_size)
        self.firsts = np.arange(batch_size) * self.height
        self.lengths = np.clip(inputs - self.firsts, 0, self.height)  # (B,) real tokens of each column
        self.steps, self.batches = steps, -(-self.height // steps)

    def order(self, seed: int, epoch: int) -> list[int]:
        return self.in_order()

    def in_order(self) -> list[int]:
        return list(range(self.batches))

    def __getitem__(self, index: int) -> Batch:
        start, width = index * self.steps, min(self.steps, self.height - index * self.steps)
        lengths = np.clip(self.lengths - start, 0, width)
        return read_rows(self.tokens, self.scored, self.firsts + start, lengths, width=width, fresh=index == 0)


class Documents(Batches):
    """Documents of similar length side by side, each from its beginning; long ones go over several batches of T steps.

    An item is named (group, piece): the pieces of a group follow each other, and its first starts the state anew.
    """

    def __init__(self, tokens: Values, scored: Values, documents: np.ndarray, batch_size: int, steps: int) -> None:
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
        firsts = self.documents[rows] + np.where(lengths > 0, start, 0)
        return read_rows(self.tokens, self.scored, firsts, lengths, width=int(lengths.max()), fresh=piece == 0)


class Packed(Batches):
    """Documents one behind the other in B columns of equal length, each from a new state: no step is padding.

    The order of the documents is drawn from (seed, epoch). A document that the end of a column cuts goes on in the next one,
    from a new state. An item is named (draw, index); the draw () keeps the order of the file.
    """

    def __init__(self, tokens: Values, scored: Values, documents: np.ndarray, batch_size: int, steps: int) -> None:
        self.tokens, self.scored, self.steps = tokens, scored, steps
        sizes = np.diff(documents) - 1  # the last token of a document is only a target
        self.firsts, self.sizes = documents[:-1][sizes > 0], sizes[sizes > 0]
        self.height = -(-int(self.sizes.sum()) // batch_size)
        self.columns = np.arange(batch_size) * self.height
        self.lengths = np.clip(self.sizes.sum() - self.columns, 0, self.height)  # (B,) real tokens of each column
        self._drawn: tuple[tuple[int, ...], np.ndarray, np.ndarray] | None = None

    def order(self, seed: int, epoch: int) -> list[tuple[tuple[int, ...], int]]:
        return self._of_draw((seed, epoch))

    def in_order(self) -> list[tuple[tuple[int, ...], int]]:
        return self._of_draw(())

    def _of_draw(self, draw: tuple[int, ...]) -> list[tuple[tuple[int, ...], int]]:
        return [(draw, index) for index in range(-(-self.height // self.steps))]

    def _documents(self, draw: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Where D documents begin in the file (D,), and where, one behind the other, each begins and the last ends (D + 1,)."""
        if self._drawn is None or self._drawn[0] != draw:
            count = len(self.sizes)
            order = np.random.default_rng(draw).permutation(count) if draw else np.arange(count)
            self._drawn = draw, self.firsts[order], np.concatenate([[0], self.sizes[order].cumsum()])
        return self._drawn[1:]

    def __getitem__(self, name: tuple[tuple[int, ...], int]) -> Batch:
        draw, index = name
        start = index * self.steps
        width = min(self.steps, self.height - start)
        lengths = np.clip(self.lengths - start, 0, width)
        inputs = np.zeros((len(lengths), width), dtype=np.int64)
        targets = np.full_like(inputs, IGNORED)
        fresh = np.zeros(inputs.shape, dtype=bool)
        for row, length in enumerate(lengths.tolist()):
            step = 0
            for first, size, begins in self._pieces(draw, int(self.columns[row]) + start, length):
                found = self.tokens[first : first + size + 1]
                inputs[row, step : step + size] = found[:-1]
                counted = self.scored[first + 1 : first + size + 1]
                targets[row, step : step + size] = np.where(counted, found[1:], IGNORED)
                fresh[row, step] = begins or start == 0
                step += size
        real = None if (lengths == width).all() else torch.from_numpy(lengths)
        return Batch(torch.from_numpy(inputs), real, torch.from_numpy(targets), fresh=torch.from_numpy(fresh))

    def _pieces(self, draw: tuple[int, ...], place: int, length: int) -> Iterator[tuple[int, int, bool]]:
        """The parts of documents in ``length`` steps from ``place`` on: first token, size, whether a document begins."""
        firsts, places = self._documents(draw)
        number, stop = int(np.searchsorted(places, place, side="right")) - 1, place + length
        while place < stop:
            inside, size = place - int(places[number]), min(stop, int(places[number + 1])) - place
            yield int(firsts[number]) + inside, size, inside == 0
            place, number = place + size, number + 1


def read_rows(tokens: Values, scored: Values, firsts: np.ndarray, lengths: np.ndarray, *, width: int, fresh: bool) -> Batch:
    """A batch of ``width`` steps whose row r has the ``lengths[r]`` tokens from ``firsts[r]`` on, of ``firsts`` (B,)."""
    full = bool((lengths == width).all())
    read = np.zeros((len(firsts), width + 1), dtype=np.int64)
    counted = np.zeros((len(firsts), width), dtype=bool)
    for row, (first, length) in enumerate(zip(firsts.tolist(), lengths.tolist(), strict=True)):
        found = tokens[first : first + length + 1]
        read[row, : len(found)] = found
        counted[row, :length] = scored[first + 1 : first + length + 1]
    inputs = read[:, :-1] if full else np.where(np.arange(width) < lengths[:, None], read[:, :-1], 0)
    targets = np.where(counted, read[:, 1:], IGNORED)
    return Batch(
        torch.from_numpy(np.ascontiguousarray(inputs)),
        None if full else torch.from_numpy(lengths),
        torch.from_numpy(targets),
        fresh=torch.full((len(firsts),), fresh),
    )


class StreamModule(SequenceModule[Batches]):
    """Batches of a stream corpus for ``LanguageModel``.

    ``joined`` reads a split as one text in ``batch_size`` columns, always in its own order. Otherwise every document starts
    with a new state, in groups of similar length, the groups in an order drawn from (seed, epoch). With ``packed`` training
    reads documents one behind the other, without padding, in an order drawn from (seed, epoch); validation and test do not,
    so that no document is cut.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        batch_size: int,
        steps: int,
        eval_batch_size: int | None = None,
        joined: bool = True,
        packed: bool = False,
        seed: int = 1,
        epochs: int = 1,
    ) -> None:
        """Read the processed corpus in ``folder``: see ``SequenceModule``; ``steps`` is T, how far the gradient goes back."""
        super().__init__(folder, batch_size=batch_size, eval_batch_size=eval_batch_size, seed=seed, epochs=epochs)
        check_counts(steps=steps)
        check_flags(joined=joined, packed=packed)
        if joined and packed:
            raise ValueError("packed is for documents: set joined=false beside it, or leave packed out")
        self.steps, self.joined, self.packed = steps, joined, packed

    def read(self, split: str, rows: int) -> Batches:
        arrays = self.mapped(split)
        tokens, scored = arrays["tokens"], arrays["scored"]
        if len(tokens) <= rows:
            raise ValueError(f"{self.folder / split}.npz holds {len(tokens)} tokens; {rows} rows need more")
        if self.joined:
            return Columns(tokens, scored, rows, self.steps)
        documents = np.array(arrays["documents"][:])
        kind = Packed if self.packed and split == "train" else Documents
        return kind(tokens, scored, documents, rows, self.steps)
