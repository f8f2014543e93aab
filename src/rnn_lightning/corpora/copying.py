"""The copying memory problem: repeat the first symbols of a sequence after a long delay.

Hochreiter & Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, in the form of Arjovsky, Shah & Bengio,
"Unitary Evolution Recurrent Neural Networks", ICML 2016.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .card import CardFields
from .corpus import Stream
from .generated import GeneratedArrays, check_steps


class Copying(GeneratedArrays):
    """The copying memory problem as documents of equal length: ``symbols`` symbols, ``delay`` blanks, one recall mark, the same
    symbols.

    Tokens 0 to ``alphabet`` - 1 are the symbols, drawn uniformly; ``alphabet`` is the blank and ``alphabet`` + 1 the mark.
    Only the recalled symbols are scored: without memory, each costs ln ``alphabet`` nats.
    """

    def __init__(self, *, delay: int, rows: Mapping[str, int], seed: int, symbols: int = 10, alphabet: int = 8) -> None:
        super().__init__(rows=rows, seed=seed)
        check_steps({"delay": (delay, 0), "symbols": (symbols, 1), "alphabet": (alphabet, 2)})
        self.delay = delay
        self.symbols = symbols
        self.alphabet = alphabet

    def parameters(self) -> dict[str, Any]:
        return {"delay": self.delay, "symbols": self.symbols, "alphabet": self.alphabet}

    def draw(self, rows: int, generator: np.random.Generator) -> Stream:
        steps = self.delay + 1 + 2 * self.symbols
        symbols = generator.integers(0, self.alphabet, (rows, self.symbols), dtype=np.int32)  # (R, S)
        tokens = np.full((rows, steps), self.alphabet, dtype=np.int32)  # (R, T)
        tokens[:, : self.symbols] = symbols
        tokens[:, -self.symbols - 1] = self.alphabet + 1
        tokens[:, -self.symbols :] = symbols
        scored = np.zeros((rows, steps), dtype=np.bool_)
        scored[:, -self.symbols :] = True
        return Stream(tokens.reshape(-1), np.arange(rows + 1, dtype=np.int64) * steps, scored.reshape(-1))

    def card_fields(self, source: Mapping[str, Any]) -> CardFields:
        title = f"Copying memory, {self.symbols} symbols over {self.delay} steps"
        references = {"chance_nats_per_scored_token": math.log(self.alphabet)}
        return CardFields(title, source, self.alphabet + 2, references)

    def inputs(self) -> dict[str, Any]:
        return {"name": "tokens"}
