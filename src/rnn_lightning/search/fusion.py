"""Shallow fusion: a model's log-probabilities and those of a language model. Shapes: N rows, V tokens."""

import torch
from torch import Tensor

from ..checks import check_number
from ..sequences import State, Step, at_least_single
from .contract import check_callables


def shallow_fusion(step: Step, language_model: Step, weight: float) -> Step:
    """log p + ``weight`` log p_lm of each token (Gulcehre et al. 2015, arXiv:1503.03535, section 4.1).

    Both steps read the same tokens; the state is the pair of theirs. What a search adds up are these sums, also as its
    ``log_probs``. With weight 0 the language model rules nothing out.

    Raises:
        ValueError: for what cannot be called, a negative weight, or vocabularies of different sizes.
    """
    check_callables(step)
    check_callables(language_model)
    check_number("weight", weight, least=0)

    def fused(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        own, other = state
        log_probs, own = step(tokens, own)
        of_language, other = language_model(tokens, other)
        if log_probs.shape != of_language.shape:
            sizes = f"{log_probs.shape[-1]} and {of_language.shape[-1]}"
            raise ValueError(f"a language model must have the tokens of the model that it is fused with, not {sizes} of them")
        added = weight * at_least_single(of_language) if weight else torch.zeros_like(log_probs)
        return at_least_single(log_probs) + added, (own, other)

    return fused
