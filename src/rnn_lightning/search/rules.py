"""Constraints on the next token of a search. Each is a ``Rule``, and any number of them compose.

Shapes: N rows, V tokens, t tokens so far, B sentences, W windows or phrases, n tokens of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_counts, check_number, shown
from ..sequences import check_lengths, check_tensors, length_mask
from .contract import Open, are_tokens


@dataclass(frozen=True)
class NoRepeatedNgrams:
    """No n-gram of ``size`` tokens occurs twice (Paulus et al. 2018, arXiv:1705.04304, section 2.5)."""

    size: int

    def __post_init__(self) -> None:
        check_counts(size=self.size)

    def __call__(self, log_probs: Tensor, rows: Open) -> Tensor:
        tokens = rows.tokens
        if tokens.shape[1] < self.size:
            return log_probs
        windows = tokens.unfold(1, self.size, 1)  # (N, W, n)
        suffix = tokens[:, tokens.shape[1] - self.size + 1 :].unsqueeze(1)  # (N, 1, n - 1)
        return ban(log_probs, windows[:, :, -1], (windows[:, :, :-1] == suffix).all(2))


@dataclass(frozen=True)
class RepetitionPenalty:
    """Log-probabilities of tokens that occurred before, times ``penalty`` (Keskar et al. 2019, arXiv:1909.05858, section 4.1).

    Keskar et al. divide scores by it; a log-probability, which is negative, is made as much less likely by the product.
    """

    penalty: float = 1.2

    def __post_init__(self) -> None:
        check_number("penalty", self.penalty, above=0)

    def __call__(self, log_probs: Tensor, rows: Open) -> Tensor:
        return log_probs.scatter(1, rows.tokens, log_probs.gather(1, rows.tokens) * self.penalty)


class BannedPhrases:
    """No hypothesis contains one of ``phrases``, each of one token or more."""

    def __init__(self, phrases: Sequence[Sequence[int]]) -> None:
        if isinstance(phrases, str) or not isinstance(phrases, Sequence):
            raise ValueError(f"phrases must be a list of phrases, not {shown(phrases)}")
        for phrase in phrases:
            if not are_tokens(phrase):
                raise ValueError(f"a banned phrase must be tokens, one or more and none negative, not {shown(phrase)}")
        lengths = sorted({len(phrase) for phrase in phrases})
        self.largest = max((max(phrase) for phrase in phrases), default=-1)
        self.by_length = [torch.tensor([phrase for phrase in phrases if len(phrase) == length]) for length in lengths]

    def __call__(self, log_probs: Tensor, rows: Open) -> Tensor:
        check_known("a banned phrase", self.largest, log_probs)
        tokens = rows.tokens
        for phrases in self.by_length:  # (W, n)
            before = phrases.shape[1] - 1
            if tokens.shape[1] < before:
                break
            prefixes, last = phrases.to(tokens.device).tensor_split([before], 1)
            matches = (tokens[:, tokens.shape[1] - before :].unsqueeze(1) == prefixes).all(2)  # (N, W)
            log_probs = ban(log_probs, last.squeeze(1).expand_as(matches), matches)
        return log_probs


class ForcedPrefix:
    """Each sentence begins with its row of ``prefixes`` (B, n), the first ``lengths`` (B,) tokens of it (``None``: all)."""

    def __init__(self, prefixes: Tensor, lengths: Tensor | None = None) -> None:
        check_tensors(prefixes=prefixes)
        if prefixes.dtype != torch.int64 or prefixes.dim() != 2:
            got = f"{prefixes.dtype} of shape {tuple(prefixes.shape)}"
            raise ValueError(f"prefixes must be int64 of shape (B, n), one a sentence, not {got}")
        rows, steps = prefixes.shape
        lengths = torch.full((rows,), steps, device=prefixes.device) if lengths is None else lengths
        check_lengths(lengths, prefixes, unit="tokens")
        self.prefixes, self.lengths = prefixes.masked_fill(~length_mask(lengths, steps), 0), lengths
        if bool((self.prefixes < 0).any()):
            raise ValueError(f"a prefix must have no negative token, not {int(self.prefixes.min())}")
        self.largest = int(self.prefixes.max()) if self.prefixes.numel() else 0

    def __call__(self, log_probs: Tensor, rows: Open) -> Tensor:
        check_known("a prefix", self.largest, log_probs)
        time = rows.tokens.shape[1]
        if time >= self.prefixes.shape[1]:
            return log_probs
        prefixes, lengths = self.prefixes.to(log_probs.device), self.lengths.to(log_probs.device)
        forced = prefixes[rows.sentences, time].unsqueeze(1)  # (N, 1)
        free = (time >= lengths[rows.sentences]).unsqueeze(1)
        only = torch.full_like(log_probs, -torch.inf).scatter(1, forced, log_probs.gather(1, forced))
        return torch.where(free, log_probs, only)


def check_known(name: str, largest: int, log_probs: Tensor) -> None:
    """Check that the ``largest`` token of ``name`` is one of ``log_probs`` (N, V)."""
    if largest >= log_probs.shape[1]:
        raise ValueError(f"{name} must be made of tokens 0..{log_probs.shape[1] - 1}, not {largest}")


def ban(log_probs: Tensor, tokens: Tensor, banned: Tensor) -> Tensor:
    """``log_probs`` (N, V), -inf at those of ``tokens`` (N, W) that are ``banned`` (N, W)."""
    ceiling = torch.where(banned, -torch.inf, torch.inf).to(log_probs.dtype)
    return log_probs.scatter_reduce(1, tokens, ceiling, "amin")
