"""A back-off n-gram language model over the labels of a recogniser or the tokens of a decoder, a `Step` for any search.

Shapes: N rows, V labels, W words of the model, D distinct contexts, H contexts.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .arpa import BEGIN, END, UNKNOWN, Entry, Gram, read_arpa
from .checks import check_counts, check_names, check_text, shown
from .ngram import check_step
from .sequences import State

Context = tuple[int, ...]


class BackOffNGram:
    """A back-off model (Katz 1987): P(w | h) is that of the n-gram h w where the model has it, and b(h) P(w | h') otherwise; h'
    is h without its first word, and b(h) the back-off weight of h, 1 where the model does not have h.

    A state is the index of the longest context of the model that ends the text so far.
    """

    def __init__(self, grams: Sequence[dict[Gram, Entry]], labels: Sequence[str], *, end: int, space: str = "<space>") -> None:
        """Make the model of ``grams`` by their order, as `read_arpa` reads them.

        Args:
            labels: the names of the V labels, which are the model's words; one that it lacks is its ``<unk>``.
            end: the label that stands for the text's beginning and its end: the blank of a recogniser.
            space: the word of the label " ".

        Raises:
            ValueError: for a label that the model lacks where it has no ``<unk>``, or where it lacks them all.
        """
        check_names("labels", labels)
        check_text("space", space)
        check_counts(least=0, most=len(labels) - 1, end=end)
        words = [self._word(label, grams[0], space) for number, label in enumerate(labels) if number != end]
        if words and not {*words} - {*UNKNOWN}:
            raise ValueError(f"the model has none of the labels {shown([*labels])}: it must be of the same words or characters")
        index = {word: number for number, word in enumerate(dict.fromkeys([BEGIN, END, *words]))}
        words.insert(end, END)
        self.predicted = np.array([index[word] for word in words])  # (V,)
        self.read_as = [0 if number == end else int(word) for number, word in enumerate(self.predicted)]
        known = {
            tuple(index[word] for word in gram): entry
            for each in grams
            for gram, entry in each.items()
            if index.keys() >= {*gram}
        }
        prefixes = {gram[:size] for gram in known for size in range(1, len(gram))}
        contexts = sorted({(), *prefixes, *(gram for gram in known if len(gram) < len(grams))}, key=lambda one: (len(one), one))
        self.order, self.contexts = len(grams), contexts
        self.index = {context: number for number, context in enumerate(contexts)}
        nothing = Entry(0.0, 0.0)
        self.back_off = np.array([known.get(context, nothing).back_off for context in contexts])  # (H,)
        self.shorter = np.array([self._longest(context[1:]) for context in contexts])  # (H,)
        self._lay_out(known)

    def _lay_out(self, known: dict[Context, Entry]) -> None:
        """Keep the n-grams context by context: those of context c are ``starts[c]`` to ``starts[c + 1]``."""
        rows = sorted((self.index[gram[:-1]], gram[-1], entry.log_prob) for gram, entry in known.items())
        contexts, words, log_probs = (np.array(part) for part in zip(*rows, strict=True))
        self.starts = np.searchsorted(contexts, np.arange(len(self.contexts) + 1))
        self.words, self.log_probs = words, log_probs
        self.unigrams = np.empty(len({*words[: self.starts[1]].tolist()}))  # (W,): each word of the index is one
        self.unigrams[words[: self.starts[1]]] = log_probs[: self.starts[1]]

    @staticmethod
    def _word(label: str, unigrams: dict[Gram, Entry], space: str) -> str:
        """The model's word for a label."""
        word = space if label == " " else label
        for candidate in (word, *UNKNOWN):
            if (candidate,) in unigrams and candidate not in (BEGIN, END):
                return candidate
        raise ValueError(f"the language model has no word {shown(word)} for the label {shown(label)}, and no {UNKNOWN[0]}")

    @classmethod
    def read(cls, path: str | Path, labels: Sequence[str], *, end: int, space: str = "<space>") -> "BackOffNGram":
        """The model in the ARPA file ``path``; the other arguments are those of the class.

        Raises:
            ValueError: for a damaged file, naming its line, or as the class.
            FileNotFoundError: where there is no such file.
        """
        return cls(read_arpa(path), labels, end=end, space=space)

    def _longest(self, text: Context) -> int:
        """The index of the longest suffix of ``text`` that is a context."""
        for start in range(max(len(text) - self.order + 1, 0), len(text)):
            if (found := self.index.get(text[start:])) is not None:
                return found
        return 0

    def start(self, rows: int) -> State:
        """The initial state of ``rows`` texts; the first token to be read is ``end``."""
        check_counts(least=0, rows=rows)
        return torch.zeros(rows, dtype=torch.int64)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Log-probabilities (N, V) of the labels after ``tokens`` (N,), and the state after them; ``end`` begins a text.

        Raises:
            ValueError: for tokens that are not int64 of 0..V-1, or a state of another shape.
        """
        before = check_step(tokens, state, len(self.predicted), len(self.contexts))
        pairs = zip(before.tolist(), map(self.read_as.__getitem__, tokens.tolist()), strict=True)
        after = [self._longest((*(self.contexts[context] if word else ()), word)) for context, word in pairs]
        distinct, rows = np.unique(np.array(after, np.int64), return_inverse=True)
        log_probs = torch.from_numpy(self.after(distinct)[rows][:, self.predicted])
        return log_probs.to(tokens.device), torch.tensor(after, dtype=torch.int64, device=tokens.device)

    def after(self, contexts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Log-probabilities (D, W) of all words after each of the ``contexts`` (D,), from shortest suffix to longest."""
        chain = [contexts]
        while chain[-1].any():
            chain.append(self.shorter[chain[-1]])
        found = np.tile(self.unigrams, (len(contexts), 1))
        for level in reversed(chain[:-1]):
            found += self.back_off[level, None]
            starts, sizes = self.starts[level], np.where(level > 0, self.starts[level + 1] - self.starts[level], 0)
            rows, firsts = np.repeat(np.arange(len(level)), sizes), np.repeat(starts - (sizes.cumsum() - sizes), sizes)
            entries = firsts + np.arange(len(rows))
            found[rows, self.words[entries]] = self.log_probs[entries]
        return found
