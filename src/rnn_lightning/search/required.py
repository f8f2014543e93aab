"""Words that must be said: lexically constrained search with dynamic beam allocation (Post and Vilar 2018, arXiv:1804.06609).

Shapes: B sentences of the batch, A active ones, R rows of each, V tokens, C phrases of a sentence, L tokens of the longest
phrase, M hypotheses or candidates.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .selection import Selected, continued, select_best

NO_TOKEN = -1


class Phrases(NamedTuple):
    """The phrases of each sentence: ``tokens`` (B, C, L), padded, and ``lengths`` (B, C), 0 where there are fewer than C; and
    the ``highest`` token of any.

    How far a hypothesis has come is ``begun`` (..., C, L + 1): whether its last j tokens are the first j of a phrase, for each
    j from 0 to L; at the phrase's own length it stays true, for then the phrase has been said.
    """

    tokens: Tensor
    lengths: Tensor
    highest: int

    def of(self, sentences: Tensor) -> "Phrases":
        """Those of the active ``sentences`` (A,); the methods below speak of these."""
        return Phrases(self.tokens[sentences], self.lengths[sentences], self.highest)

    def start(self) -> Tensor:
        """``begun`` (B, C, L + 1) of hypotheses without a token."""
        sentences, phrases, steps = self.tokens.shape
        return (torch.arange(steps + 1, device=self.tokens.device) == 0).expand(sentences, phrases, steps + 1)

    def advance(self, begun: Tensor, said: Tensor) -> Tensor:
        """``begun`` (A, M, C, L + 1) after each hypothesis has ``said`` (A, M) one token more."""
        goes_on = begun[..., :-1] & (self.tokens.unsqueeze(1) == said.unsqueeze(2).unsqueeze(3))
        return torch.cat([torch.ones_like(goes_on[..., :1]), goes_on], 3) | (begun & self._whole(begun))

    def all_said(self, begun: Tensor) -> Tensor:
        """Whether each hypothesis (A, M) has said all phrases of its sentence."""
        return (begun & self._whole(begun)).any(3).all(2)

    def progress(self, begun: Tensor) -> Tensor:
        """How many tokens (A, M) each hypothesis has met: of the phrases it has said, and of the one it is furthest in."""
        far = _furthest(begun)
        said = far == self.lengths.unsqueeze(1)
        return far.masked_fill(~said, 0).sum(2) + far.masked_fill(said, 0).amax(2)

    def wanted(self, begun: Tensor) -> Tensor:
        """The token (A, M, C) that brings each hypothesis on in each phrase; ``NO_TOKEN`` where it has said the phrase."""
        far = _furthest(begun)
        next_tokens = torch.cat([self.tokens, torch.full_like(self.tokens[..., :1], NO_TOKEN)], 2).unsqueeze(1)
        tokens = next_tokens.expand(begun.shape).gather(3, far.unsqueeze(3)).squeeze(3)
        return tokens.masked_fill(far == self.lengths.unsqueeze(1), NO_TOKEN)

    def _whole(self, begun: Tensor) -> Tensor:
        """Where in ``begun`` a phrase is complete: (A, 1, C, L + 1)."""
        return (torch.arange(begun.shape[3], device=begun.device) == self.lengths.unsqueeze(2)).unsqueeze(1)


def _furthest(begun: Tensor) -> Tensor:
    """The largest j (A, M, C) of which ``begun`` is true."""
    return (begun * torch.arange(begun.shape[3], device=begun.device)).amax(3)


def phrases_of(required: Sequence[Sequence[Sequence[int]]], first: Tensor, end: int) -> Phrases:
    """The ``required`` phrases, for each sentence those that it must have, on the device of ``first`` (B,).

    Raises:
        ValueError: for other than B lists, or a phrase without tokens, with negative ones or with ``end``.
    """
    if len(required) != len(first):
        raise ValueError(f"required must have a list of phrases for each of {len(first)} sentences, not {len(required)} lists")
    flat = [(sentence, phrase) for sentence, phrases in enumerate(required) for phrase in phrases]
    for _, phrase in flat:
        if not phrase or min(phrase) < 0 or end in phrase:
            raise ValueError(f"a required phrase must be tokens, one or more, none negative or {end} (end), not {list(phrase)}")
    most = max((len(phrases) for phrases in required), default=0)
    longest = max((len(phrase) for _, phrase in flat), default=0)
    tokens = first.new_full((len(first), max(most, 1), max(longest, 1)), NO_TOKEN)
    lengths = first.new_zeros(tokens.shape[:2])
    for sentence, phrases in enumerate(required):
        for place, phrase in enumerate(phrases):
            tokens[sentence, place, : len(phrase)] = first.new_tensor(phrase)
            lengths[sentence, place] = len(phrase)
    return Phrases(tokens, lengths, highest=max((token for _, phrase in flat for token in phrase), default=NO_TOKEN))


def select_required(log_probs: Tensor, totals: Tensor, end: int, width: int, *, phrases: Phrases, begun: Tensor) -> Selected:
    """``width`` continuations of ``totals`` (A, 1, R) by ``log_probs`` (A, 1, R, V), shared out by how much has been said.

    Hypotheses that have met equally many tokens of their phrases make up a bank. The best of each bank come first, the fullest
    bank before the others, then the second best of each, and so on. So the fullest bank always keeps a hypothesis, and one of
    its candidates is in a fuller one: all phrases are said after as many steps as they have tokens, unless some are ruled out.

    Raises:
        ValueError: for phrases of tokens that the model does not know.
    """
    if phrases.highest >= log_probs.shape[3]:
        raise ValueError(f"a required phrase must be made of tokens 0..{log_probs.shape[3] - 1}, not {phrases.highest}")
    parents, tokens, unfit = _candidates(log_probs, totals, end, width, phrases.wanted(begun))
    ranks = continued(log_probs, totals, parents.unsqueeze(1), tokens.unsqueeze(1)).squeeze(1).masked_fill(unfit, -torch.inf)
    ranks, order = ranks.sort(1, descending=True)
    parents, tokens = parents.gather(1, order), tokens.gather(1, order)
    sentences = torch.arange(len(parents), device=parents.device).unsqueeze(1)
    banks = phrases.progress(phrases.advance(begun[sentences, parents], tokens))  # (A, M)
    turns = (banks.unsqueeze(2) == banks.unsqueeze(1)).tril(-1).sum(2)  # how many of its bank are better
    places = (turns * (banks.amax() + 1) - banks).masked_fill(ranks == -torch.inf, torch.iinfo(turns.dtype).max)
    kept = places.topk(width, largest=False).indices
    ranks, parents, tokens = (part.gather(1, kept).unsqueeze(1) for part in (ranks, parents, tokens))
    return Selected(ranks, ranks, parents, tokens)


def _candidates(log_probs: Tensor, totals: Tensor, end: int, width: int, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Parents, tokens, and which must not be chosen (A, M): the best of all, the best of each row, and the ``wanted`` ones."""
    rows, vocabulary = log_probs.shape[2:]
    best = select_best(log_probs, totals, end, width)
    best_of_rows = select_best(log_probs.transpose(1, 2), totals.transpose(1, 2), end, 1)  # each row as a group of its own
    own = torch.arange(rows, device=totals.device).expand(len(totals), rows)  # (A, R)
    parents = torch.cat([best.parents.squeeze(1), own, own.repeat_interleave(wanted.shape[2], 1)], 1)
    wanted = wanted.masked_fill(wanted == NO_TOKEN, end).flatten(1)
    tokens = torch.cat([best.tokens.squeeze(1), best_of_rows.tokens.squeeze(2), wanted], 1)
    places = (parents * vocabulary + tokens).sort(1).values
    parents, tokens = places // vocabulary, places % vocabulary
    again = F.pad(places[:, 1:] == places[:, :-1], (1, 0))
    return parents, tokens, again | (tokens == end) | (totals.squeeze(1).gather(1, parents) == -torch.inf)
