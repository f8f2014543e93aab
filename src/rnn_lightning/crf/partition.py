"""The log partition function of a linear chain, log Z: the log of the sum of exp(score) over all sequences of tags.

Shapes: B rows, T steps, K tags; emissions (T, K, B) and transitions (K + 1, K + 1) are those of recursion.py.
"""

from typing import Any

import torch
from torch import Tensor

from ..derivatives import check_first_derivative
from .recursion import floor_of, last_step, log_sum, recursion, sum_over_steps, with_boundaries

NOT_FINITE = "emissions and their sums must be finite, or minus infinity, not NaN or infinite"
SMALLEST = 1e-280
"""The smallest probability that the scaled algorithm trusts: far above 1e-307, below which doubles round to zero."""


def log_partition(emissions: Tensor, transitions: Tensor, lengths: Tensor) -> Tensor:
    """The log partition function log Z (B,); -inf for a row of a length that no allowed sequence has."""
    total: Tensor = ScaledLogPartition.apply(emissions, transitions, lengths)  # pyright: ignore[reportAssignmentType]
    if bool((total < torch.inf).all()):
        return total
    # Rarely: where scores lie hundreds apart, a row has no sequence at all, or emissions are not finite.
    total = log_partition_in_logs(emissions, transitions, lengths)
    if not bool((emissions < torch.inf).all() & (total < torch.inf).all()):
        raise FloatingPointError(NOT_FINITE)
    return total


class ScaledLogPartition(torch.autograd.Function):
    """log Z by the forward-backward algorithm on scaled probabilities (Rabiner 1989, section V.A), in double precision.

    With M = exp(transitions), the forward pass is z_t p_t = (M^T p_(t-1)) * exp(e_t - max e_t), sum p_t = 1, and log Z is the
    sum of log z_t + max e_t and of the log of what ends. The marginals g follow backwards, g_(t-1) = p_(t-1) * M (g_t / M^T
    p_(t-1)). Every sum is of positive numbers, and so is exact to rounding, unless some tag that can be reached has a
    probability too small for double precision: then log Z is NaN, for ``log_partition_in_logs`` to find.
    """

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, transitions: Tensor, lengths: Tensor) -> Tensor:
        """log Z (B,) of ``emissions`` (T, K, B), ``transitions`` (K + 1, K + 1) and ``lengths`` (B,)."""
        weights = transitions.double().exp()
        start, flow, end = weights[-1, :-1], weights[:-1, :-1], weights[:-1, -1]
        tops = emissions.amax(1)  # (T, B)
        likelihoods = (emissions - tops.unsqueeze(1)).double().exp()
        reached, beliefs, scales = [start.unsqueeze(1).expand(emissions.shape[1:])], [], []
        for likelihood in likelihoods.unbind():
            joint = reached[-1] * likelihood
            scales.append(joint.sum(0).clamp_(min=SMALLEST))  # it is 0 for a row without any sequence
            beliefs.append(joint / scales[-1])
            reached.append(flow.t() @ beliefs[-1])
        reached, beliefs, scales = torch.stack(reached[:-1]), torch.stack(beliefs), torch.stack(scales)
        ending = last_step(beliefs, lengths) * end  # (B, K)
        total = ending.sum(1)
        log_z = sum_over_steps(scales.log() + tops, lengths) + total.log()
        if not trusted(reached, transitions) or not bool(((total > SMALLEST) | (lengths == 0)).all()):
            log_z = torch.full_like(log_z, torch.nan)
        ctx.save_for_backward(beliefs, reached, flow, ending / total.unsqueeze(1), lengths)
        return log_z.masked_fill(lengths == 0, 0).to(emissions.dtype)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        check_first_derivative("the log partition function", "take differences of first derivatives")
        beliefs, reached, flow, ending, lengths = ctx.saved_tensors
        ending = (ending * outer[0].unsqueeze(1)).masked_fill(lengths.unsqueeze(1) == 0, 0)
        marginals = torch.zeros_like(beliefs)
        marginals[(lengths - 1).clamp(min=0), :, torch.arange(len(lengths), device=lengths.device)] = ending
        inverse = reached.clamp(min=SMALLEST).reciprocal()  # of tags that nothing reaches, the marginals are zero
        for time in range(len(marginals) - 1, 0, -1):
            marginals[time - 1].addcmul_(beliefs[time - 1], flow @ (marginals[time] * inverse[time]))
        pairs = torch.einsum("tib,tjb->ij", beliefs[:-1], (marginals * inverse)[1:]) * flow
        of_transitions = with_boundaries(pairs, marginals[0].sum(1), ending.sum(0))
        return marginals.to(outer[0].dtype), of_transitions.to(outer[0].dtype), None


def trusted(reached: Tensor, transitions: Tensor) -> bool:
    """Whether all forward probabilities ``reached`` (T, K, B) are above ``SMALLEST``, but for tags that no path reaches."""
    allowed = (transitions > -torch.inf).double()
    before = (reached[:-1] > 0).double()
    reachable = torch.cat([allowed[-1, :-1].view(1, -1, 1).expand_as(reached[:1]), allowed[:-1, :-1].t() @ before])
    return bool(((reached > SMALLEST) | (reachable == 0)).all())


def log_partition_in_logs(emissions: Tensor, transitions: Tensor, lengths: Tensor) -> Tensor:
    """log Z (B,) by the forward algorithm in logarithms: slower, for scores of any size."""
    alphas, shifts = recursion(emissions, transitions, log_sum)
    ends = last_step(alphas, lengths).squeeze(1) + transitions[:-1, -1]  # (B, K)
    total = log_sum(ends.t()).squeeze(0) + sum_over_steps(shifts, lengths)
    total = total.masked_fill(total < floor_of(total) / 2, -torch.inf)
    return total.masked_fill(lengths == 0, 0)
