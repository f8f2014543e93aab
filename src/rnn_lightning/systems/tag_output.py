"""From scores of tags to a loss and to tags: what stands on top of a tagger's network.

Every output has the two methods of `TagOutput`; `OUTPUTS` names them. Shapes: B rows, T steps, L tags.
"""

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from ..sequences import IGNORED, real_steps


class TagOutput(nn.Module, ABC):
    """How likely tags are, given ``emissions`` (B, T, L); ``lengths`` (B,) counts the real steps, ``None``: all T."""

    @abstractmethod
    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None) -> Tensor:
        """The negative log-likelihood (B,) in nats of each row's ``tags`` (B, T), `IGNORED` behind its length."""

    @abstractmethod
    def decode(self, emissions: Tensor, lengths: Tensor | None) -> Tensor:
        """The likeliest tags (B, T) of each row, `IGNORED` behind its length."""


class SoftmaxOutput(TagOutput):
    """Each step on its own: p(tag) = softmax(emissions)."""

    def __init__(self, num_tags: int) -> None:
        super().__init__()
        self.num_tags = num_tags

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None) -> Tensor:
        return F.cross_entropy(emissions.transpose(1, 2), tags, ignore_index=IGNORED, reduction="none").sum(1)

    def decode(self, emissions: Tensor, lengths: Tensor | None) -> Tensor:
        tags = emissions.argmax(2)
        if lengths is None:
            return tags
        return tags.masked_fill(~real_steps(lengths.to(tags.device), tags.shape[1]), IGNORED)


OUTPUTS: dict[str, type[TagOutput]] = {"softmax": SoftmaxOutput}
