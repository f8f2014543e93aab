"""Two problems of recall: symbols in their order out of noise, and the values of keys.

Shapes: R rows, T steps of a row.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .card import CardFields
from .copying import Copying
from .corpus import Stream
from .generated import GeneratedArrays, check_steps


class SelectiveCopying(Copying):
    """Copying memory whose symbols stand at random places: documents of ``delay`` blanks with ``symbols`` symbols among them,
    one recall mark, the same symbols in their order (Jing et al. 2019, arXiv:1706.02761; Gu and Dao 2023, arXiv:2312.00752).

    Tokens and scores are those of `Copying`. What is kept must depend on what is read, so that fixed rates of decay do not do.
    """

    def draw(self, rows: int, generator: np.random.Generator) -> Stream:
        before = self.delay + self.symbols
        symbols = generator.integers(0, self.alphabet, (rows, self.symbols), dtype=np.int32)
        places = np.sort(generator.random((rows, before)).argsort(1)[:, : self.symbols], 1)
        tokens = np.full((rows, before + 1 + self.symbols), self.alphabet, dtype=np.int32)  # (R, T)
        np.put_along_axis(tokens, places, symbols, 1)
        tokens[:, before] = self.alphabet + 1
        tokens[:, before + 1 :] = symbols
        return scored_from(tokens, np.arange(tokens.shape[1]) > before)

    def card_fields(self, source: Mapping[str, Any]) -> CardFields:
        title = f"Selective copying, {self.symbols} symbols among {self.delay} blanks"
        return replace(super().card_fields(source), title=title)


class AssociativeRecall(GeneratedArrays):
    """Multi-query associative recall (Arora et al. 2023, arXiv:2312.04927): documents of ``pairs`` keys, each with its value
    behind it, and then the same keys in another order, each again with its value.

    Tokens 0 to ``keys`` - 1 are the keys, of which no document has one twice at first; ``keys`` to ``keys`` + ``values`` - 1
    are the values, drawn uniformly. Only the values of the second half are scored: without memory, each costs ln ``values``
    nats. The state must hold all pairs at once.
    """

    def __init__(self, *, pairs: int, rows: Mapping[str, int], seed: int, keys: int = 16, values: int = 8) -> None:
        super().__init__(rows=rows, seed=seed)
        check_steps({"pairs": (pairs, 1), "values": (values, 2), "keys": (keys, pairs)})
        self.pairs, self.keys, self.values = pairs, keys, values

    def parameters(self) -> dict[str, Any]:
        return {"pairs": self.pairs, "keys": self.keys, "values": self.values}

    def draw(self, rows: int, generator: np.random.Generator) -> Stream:
        keys = generator.random((rows, self.keys)).argsort(1)[:, : self.pairs]
        values = self.keys + generator.integers(0, self.values, (rows, self.pairs))
        order = generator.random((rows, self.pairs)).argsort(1)
        halves = [keys, values], [np.take_along_axis(part, order, 1) for part in (keys, values)]
        tokens = np.concatenate([np.stack(half, 2).reshape(rows, -1) for half in halves], 1).astype(np.int32)  # (R, T)
        step = np.arange(tokens.shape[1])
        return scored_from(tokens, (step >= 2 * self.pairs) & (step % 2 == 1))

    def card_fields(self, source: Mapping[str, Any]) -> CardFields:
        title = f"Associative recall, {self.pairs} pairs of {self.keys} keys and {self.values} values"
        references = {"chance_nats_per_scored_token": math.log(self.values)}
        return CardFields(title, source, self.keys + self.values, references)

    def inputs(self) -> dict[str, Any]:
        return {"name": "tokens"}


def scored_from(tokens: np.ndarray, scored: np.ndarray) -> Stream:
    """Rows of ``tokens`` (R, T) as documents, of which the ``scored`` (T,) steps are targets."""
    rows, steps = tokens.shape
    return Stream(tokens.reshape(-1), np.arange(rows + 1, dtype=np.int64) * steps, np.tile(scored, rows))
