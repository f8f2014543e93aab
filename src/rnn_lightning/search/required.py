"""Lexically constrained search: required phrases, by dynamic beam allocation (Post and Vilar 2018, arXiv:1804.06609).

Shapes: B sentences of the batch, A active ones, R rows of each, V tokens, C phrases of a sentence, L tokens of the longest
phrase, M hypotheses or candidates.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import shown
from .contract import are_tokens
from .selection import Selected, continued, select_best

NO_TOKEN = -1


class Phrases(NamedTuple):
    """The required phrases of each sentence: ``tokens`` (B, C, L), padded, ``lengths`` (B, C), 0 where there are fewer than C,
    and the ``largest`` token of all.

    The progress of a hypothesis is ``matched`` (..., C, L + 1), as in string matching: whether its last j tokens are the first
    j of a phrase, for each j from 0 to L; at the phrase's own length it stays true once the phrase is complete.
    """

    tokens: Tensor
    lengths: Tensor
    largest: int

    def of(self, sentences: Tensor) -> "Phrases":
        """The phrases of the active ``sentences`` (A,), to which the methods below belong."""
        return Phrases(self.tokens[sentences], self.lengths[sentences], self.largest)

    def start(self) -> Tensor:
        """``matched`` (B, C, L + 1) of empty hypotheses."""
        sentences, phrases, steps = self.tokens.shape
        return (torch.arange(steps + 1, device=self.tokens.device) == 0).expand(sentences, phrases, steps + 1)

    def extend(self, matched: Tensor, tokens: Tensor) -> Tensor:
        """``matched`` (A, M, C, L + 1) of hypotheses extended by one of ``tokens`` (A, M) each."""
        goes_on = matched[..., :-1] & (self.tokens.unsqueeze(1) == tokens.unsqueeze(2).unsqueeze(3))
        return torch.cat([torch.ones_like(goes_on[..., :1]), goes_on], 3) | (matched & self._at_phrase_end(matched))

    def satisfied(self, matched: Tensor) -> Tensor:
        """Whether each hypothesis (A, M) contains all phrases of its sentence."""
        return (matched & self._at_phrase_end(matched)).any(3).all(2)

    def progress(self, matched: Tensor) -> Tensor:
        """The number (A, M) of required tokens in a hypothesis: of its complete phrases, and of its longest incomplete one."""
        longest = _longest_match(matched)
        complete = longest == self.lengths.unsqueeze(1)
        return longest.masked_fill(~complete, 0).sum(2) + longest.masked_fill(complete, 0).amax(2)

    def next_token(self, matched: Tensor) -> Tensor:
        """The token (A, M, C) that continues the match of each phrase; ``NO_TOKEN`` where the phrase is complete."""
        longest = _longest_match(matched)
        next_tokens = torch.cat([self.tokens, torch.full_like(self.tokens[..., :1], NO_TOKEN)], 2).unsqueeze(1)
        tokens = next_tokens.expand(matched.shape).gather(3, longest.unsqueeze(3)).squeeze(3)
        return tokens.masked_fill(longest == self.lengths.unsqueeze(1), NO_TOKEN)

    def _at_phrase_end(self, matched: Tensor) -> Tensor:
        """A mask (A, 1, C, L + 1) of the entries of ``matched`` that stand for complete phrases."""
        return (torch.arange(matched.shape[3], device=matched.device) == self.lengths.unsqueeze(2)).unsqueeze(1)


def _longest_match(matched: Tensor) -> Tensor:
    """The length (A, M, C) of the longest match: the largest j at which ``matched`` is true."""
    return (matched * torch.arange(matched.shape[3], device=matched.device)).amax(3)


def phrase_tensors(required: Sequence[Sequence[Sequence[int]]], first: Tensor, end: int) -> Phrases:
    """The ``required`` phrases of each sentence as tensors, on the device of ``first`` (B,).

    Raises:
        ValueError: for other than B lists, or a phrase without tokens, with negative ones or with ``end``.
    """
    if (
        isinstance(required, str)
        or not isinstance(required, Sequence)
        or not all(isinstance(phrases, Sequence) for phrases in required)
    ):
        raise ValueError(f"required must be a list of phrases for each sentence, not {shown(required)}")
    if len(required) != len(first):
        raise ValueError(f"required must have a list of phrases for each of {len(first)} sentences, not {len(required)} lists")
    flat = [(sentence, phrase) for sentence, phrases in enumerate(required) for phrase in phrases]
    for _, phrase in flat:
        if not are_tokens(phrase) or end in phrase:
            raise ValueError(
                f"a required phrase must be tokens, one or more, none negative or {end} (end), not {shown(phrase)}"
            )
    most = max((len(phrases) for phrases in required), default=0)
    longest = max((len(phrase) for _, phrase in flat), default=0)
    tokens = first.new_full((len(first), max(most, 1), max(longest, 1)), NO_TOKEN)
    lengths = first.new_zeros(tokens.shape[:2])
    for sentence, phrases in enumerate(required):
        for index, phrase in enumerate(phrases):
            tokens[sentence, index, : len(phrase)] = first.new_tensor(phrase)
            lengths[sentence, index] = len(phrase)
    return Phrases(tokens, lengths, largest=max((token for _, phrase in flat for token in phrase), default=NO_TOKEN))


def select_required(log_probs: Tensor, totals: Tensor, end: int, width: int, *, phrases: Phrases, matched: Tensor) -> Selected:
    """Dynamic beam allocation: ``width`` continuations of ``totals`` (A, 1, R) by ``log_probs`` (A, 1, R, V), from all banks.

    A bank holds the hypotheses that contain equally many required tokens. The best of each bank are chosen first, from the
    fullest bank down, then the second best of each, and so on. So the fullest bank always keeps a hypothesis, and one of its
    candidates is in a fuller one: all phrases are complete after as many steps as they have tokens, unless a rule forbids some.

    Raises:
        ValueError: for phrases of tokens that the model does not know.
    """
    if phrases.largest >= log_probs.shape[3]:
        raise ValueError(f"a required phrase must be made of tokens 0..{log_probs.shape[3] - 1}, not {phrases.largest}")
    parents, tokens, unfit = _candidates(log_probs, totals, end, width, phrases.next_token(matched))
    ranks = continued(log_probs, totals, parents.unsqueeze(1), tokens.unsqueeze(1)).squeeze(1).masked_fill(unfit, -torch.inf)
    ranks, order = ranks.sort(1, descending=True)
    parents, tokens = parents.gather(1, order), tokens.gather(1, order)
    sentences = torch.arange(len(parents), device=parents.device).unsqueeze(1)
    banks = phrases.progress(phrases.extend(matched[sentences, parents], tokens))  # (A, M)
    ranks_in_bank = (banks.unsqueeze(2) == banks.unsqueeze(1)).tril(-1).sum(2)  # better ones of the same bank
    order_keys = (ranks_in_bank * (banks.amax() + 1) - banks).masked_fill(ranks == -torch.inf, torch.iinfo(banks.dtype).max)
    kept = order_keys.topk(width, largest=False).indices
    ranks, parents, tokens = (part.gather(1, kept).unsqueeze(1) for part in (ranks, parents, tokens))
    return Selected(ranks, ranks, parents, tokens)


def _candidates(log_probs: Tensor, totals: Tensor, end: int, width: int, next_token: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Candidates (A, M): the best of all, the best of each row, and those by a ``next_token``; parents, tokens, and a mask of
    those that must not be chosen."""
    rows, vocabulary = log_probs.shape[2:]
    best = select_best(log_probs, totals, end, width)
    best_of_rows = select_best(log_probs.transpose(1, 2), totals.transpose(1, 2), end, 1)  # each row as a group of its own
    own = torch.arange(rows, device=totals.device).expand(len(totals), rows)  # (A, R)
    parents = torch.cat([best.parents.squeeze(1), own, own.repeat_interleave(next_token.shape[2], 1)], 1)
    next_token = next_token.masked_fill(next_token == NO_TOKEN, end).flatten(1)
    tokens = torch.cat([best.tokens.squeeze(1), best_of_rows.tokens.squeeze(2), next_token], 1)
    codes = (parents * vocabulary + tokens).sort(1).values
    parents, tokens = codes // vocabulary, codes % vocabulary
    duplicate = F.pad(codes[:, 1:] == codes[:, :-1], (1, 0))
    return parents, tokens, duplicate | (tokens == end) | (totals.squeeze(1).gather(1, parents) == -torch.inf)
