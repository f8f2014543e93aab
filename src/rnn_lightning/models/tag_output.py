"""From scores of tags to a loss, to tags and to their probabilities: what stands on top of a tagger's network.

Every output has the methods of `TagOutput`; `OUTPUTS` names them. Shapes: B rows, T steps, L tags.
"""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..crf import LinearChainCRF
from ..sequences import IGNORED, at_least_single, fill_padding
from ..tag_schemes import Constraints


class TagOutput(nn.Module, ABC):
    """How likely tags are, given ``emissions`` (B, T, L); ``lengths`` (B,) counts the real steps, ``None``: all T."""

    @abstractmethod
    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None) -> Tensor:
        """The negative log-likelihood (B,) in nats of each row's ``tags`` (B, T), `IGNORED` behind its length."""

    def transition_scores(self) -> Tensor | None:
        """The scores (L + 1, L + 1) of one tag after another, L being the boundary, -inf where a constraint forbids it;
        ``None`` where each step is on its own."""
        return None

    @abstractmethod
    def decode(self, emissions: Tensor, lengths: Tensor | None) -> Tensor:
        """The likeliest tags (B, T) of each row, `IGNORED` behind its length."""

    @abstractmethod
    def marginals(self, emissions: Tensor, lengths: Tensor | None) -> Tensor:
        """The marginal probability (B, T, L) of each tag at each step, zero behind a row's length."""


class SoftmaxOutput(TagOutput):
    """Each step on its own: p(tag) = softmax(emissions). No constraint can hold where no step knows of another."""

    def __init__(self, num_tags: int, constraints: Constraints | None = None) -> None:
        super().__init__()

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None) -> Tensor:
        return F.cross_entropy(at_least_single(emissions).transpose(1, 2), tags, ignore_index=IGNORED, reduction="none").sum(1)

    def decode(self, emissions: Tensor, lengths: Tensor | None) -> Tensor:
        return fill_padding(emissions.argmax(2), lengths, IGNORED)

    def marginals(self, emissions: Tensor, lengths: Tensor | None) -> Tensor:
        return fill_padding(at_least_single(emissions).softmax(2), lengths)


class CRFOutput(TagOutput):
    """The sequence as a whole: a linear-chain CRF over the emissions (Lample et al. 2016, arXiv:1603.01360).

    Tags that the ``constraints`` forbid are never found. Where they are gold, the constraints are left out of that row's loss.
    """

    def __init__(self, num_tags: int, constraints: Constraints | None = None) -> None:
        super().__init__()
        self.field = LinearChainCRF(num_tags, constraints)

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None) -> Tensor:
        return -self.field.log_likelihood(emissions, tags, lengths)

    def transition_scores(self) -> Tensor:
        return self.field.transition_scores(torch.float32)

    def decode(self, emissions: Tensor, lengths: Tensor | None) -> Tensor:
        return self.field.decode(emissions, lengths).tags[:, 0]

    def marginals(self, emissions: Tensor, lengths: Tensor | None) -> Tensor:
        return self.field.marginals(emissions, lengths)


OUTPUTS: dict[str, type[SoftmaxOutput] | type[CRFOutput]] = {"crf": CRFOutput, "softmax": SoftmaxOutput}
