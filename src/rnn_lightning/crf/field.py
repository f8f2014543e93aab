"""A linear-chain conditional random field, with constraints that hold in training and in decoding.

Shapes: B rows, T steps, K tags, N paths asked for of each row.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import check_counts, shown
from ..sequences import at_least_single, check_lengths, check_memory, check_tensors, length_mask
from ..tag_schemes import Constraints
from .partition import NOT_FINITE, log_partition
from .recursion import n_best_paths, steps_first, with_boundaries
from .viterbi import best_paths


class TagPaths(NamedTuple):
    """The n-best sequences of tags of each row, best first and without duplicates.

    ``tags`` (B, N, T) are ``IGNORED`` behind a row's length; ``scores`` (B, N) are those of ``LinearChainCRF.score``. Where a
    row has fewer than N allowed sequences, the missing ones are all ``IGNORED`` and score -inf.
    """

    tags: Tensor
    scores: Tensor


class LinearChainCRF(nn.Module):
    """A conditional random field: sequences of tags y with p(y | x) = exp(s(x, y)) / Z(x) (Lafferty, McCallum and Pereira
    2001).

    s(x, y) = start[y_1] + sum_t emissions[t, y_t] + sum_t transitions[y_(t-1), y_t] + end[y_T], and Z(x) is the sum of exp(s)
    over all sequences that the constraints allow. Of an empty row, the empty sequence is the only one: s = log Z = 0. With all
    parameters zero, as they begin, and no constraints, it is the softmax of each step.

    Gold tags that the constraints forbid would have no likelihood. Such a row has the one that it had without constraints, in
    its score and in its Z, so that training and tests go on; what is decoded is always allowed.

    ``lengths`` (B,) of 0..T counts the real steps of each row (``None``: all T are); what stands behind them never matters.
    """

    forbidden: Tensor

    def __init__(self, num_tags: int, constraints: Constraints | None = None) -> None:
        """Build the field.

        Args:
            num_tags: K.
            constraints: which tags may follow which, such as ``span_constraints`` makes; ``None``: any.

        Raises:
            ValueError: for no tags, or constraints of other shapes or dtypes than ``Constraints`` says.
        """
        super().__init__()
        check_counts(num_tags=num_tags)
        check_memory(num_tags=num_tags, following_tags=num_tags)
        self.num_tags = num_tags
        self.start, self.end = nn.Parameter(torch.zeros(num_tags)), nn.Parameter(torch.zeros(num_tags))
        self.transitions = nn.Parameter(torch.zeros(num_tags, num_tags))
        forbidden = torch.zeros(num_tags + 1, num_tags + 1, dtype=torch.bool)
        if constraints is not None:
            check_constraints(constraints, num_tags)
            forbidden = with_boundaries(*(~part for part in constraints))
        self.register_buffer("forbidden", forbidden)

    def log_partition(self, emissions: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The log partition function log Z (B,); -inf for a row of a length that no allowed sequence has.

        Raises:
            ValueError: for emissions or lengths of other shapes.
        """
        emissions, lengths = self._check(emissions, lengths)
        return log_partition(steps_first(emissions), self.transition_scores(emissions.dtype), lengths)

    def score(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The score s (B,) of ``tags`` (B, T); -inf for a sequence that the constraints forbid.

        Raises:
            ValueError: for emissions, tags or lengths of other shapes, or a tag that is not one of 0..K-1.
        """
        emissions, lengths = self._check(emissions, lengths)
        scores = path_score(emissions, self._path(tags, emissions, lengths), self.transition_scores(emissions.dtype))
        if not bool((emissions < torch.inf).all() & (scores < torch.inf).all()):
            raise FloatingPointError(NOT_FINITE)
        return scores

    def log_likelihood(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The log-likelihood log p (B,) of ``tags`` (B, T); of a row that the constraints forbid that without constraints.

        Raises:
            ValueError: as ``score``.
        """
        emissions, lengths = self._check(emissions, lengths)
        path, transitions = self._path(tags, emissions, lengths), self.transition_scores(emissions.dtype)
        irregular = self.forbidden[path[:, :-1], path[:, 1:]].any(1)
        if not bool(irregular.any()):
            return likelihood(emissions, path, transitions, lengths)
        found = emissions.new_zeros(len(emissions))
        for rows, scores in ((~irregular, transitions), (irregular, self.transition_scores(emissions.dtype, free=True))):
            found = found.masked_scatter(rows, likelihood(emissions[rows], path[rows], scores, lengths[rows]))
        return found

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The negative log-likelihood of all rows, divided by their real steps: in nats a step, like a cross entropy.

        Raises:
            ValueError: as ``log_likelihood``.
        """
        likelihoods = self.log_likelihood(emissions, tags, lengths)
        steps = tags.numel() if lengths is None else int(lengths.sum())
        return -likelihoods.sum() / max(steps, 1)

    def marginals(self, emissions: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The marginal probability (B, T, K) of each tag at each step, zero behind a row's length: the gradient of log Z.

        Raises:
            ValueError: as ``log_partition``.
        """
        check_emissions(emissions, self.num_tags)
        # Lightning validates in inference mode, whose tensors have no gradients; copies made outside of it do.
        with torch.inference_mode(False), torch.enable_grad():
            if lengths is not None:
                check_lengths(lengths, emissions)
            emissions = at_least_single(emissions.detach().clone()).requires_grad_()
            lengths = None if lengths is None else lengths.clone()
            return torch.autograd.grad(self.log_partition(emissions, lengths).sum(), emissions)[0]

    @torch.no_grad()
    def decode(self, emissions: Tensor, lengths: Tensor | None = None, n_best: int = 1) -> TagPaths:
        """n-best Viterbi decoding: the ``n_best`` allowed sequences that score highest.

        Raises:
            ValueError: for ``n_best`` below 1, or emissions or lengths of other shapes.
            FloatingPointError: for emissions that are NaN or infinite, or so large that their sums are.
        """
        check_counts(n_best=n_best)
        emissions, lengths = self._check(emissions, lengths)
        transitions, steps_of = self.transition_scores(emissions.dtype), steps_first(emissions)
        if n_best == 1:
            best, score = best_paths(steps_of, transitions, lengths)
            tags, scores = best.unsqueeze(1), score.unsqueeze(1)
        else:
            tags, scores = n_best_paths(steps_of, transitions, lengths, n_best)
        if not all(score < math.inf for row in scores.tolist() for score in row):
            raise FloatingPointError(NOT_FINITE)
        return TagPaths(tags[:, :, : emissions.shape[1]], scores)

    def _check(self, emissions: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Check the arguments; emissions of at least single precision, zero behind each row's length, and the lengths."""
        check_emissions(emissions, self.num_tags)
        emissions = at_least_single(emissions)
        if lengths is None:
            return emissions, torch.full(emissions.shape[:1], emissions.shape[1], device=emissions.device)
        check_lengths(lengths, emissions)
        lengths = lengths.to(emissions.device, torch.int64)
        if bool((lengths == emissions.shape[1]).all()):
            return emissions, lengths
        return emissions.masked_fill(~length_mask(lengths, emissions.shape[1]).unsqueeze(2), 0), lengths

    def transition_scores(self, dtype: torch.dtype, *, free: bool = False) -> Tensor:
        """The transition scores with boundaries (K + 1, K + 1), -inf where the constraints forbid one, unless ``free``."""
        scores = with_boundaries(self.transitions, self.start, self.end).to(dtype)
        return scores if free else scores.masked_fill(self.forbidden, -torch.inf)

    def _path(self, tags: Tensor, emissions: Tensor, lengths: Tensor) -> Tensor:
        """``tags`` with boundaries (B, T + 2): K, which is no tag, before, behind and in the padding."""
        check_tensors(tags=tags)
        if tags.dtype != torch.int64 or tags.shape != emissions.shape[:2]:
            shape = tuple(emissions.shape[:2])
            raise ValueError(f"tags must be int64 of shape {shape}, not {tags.dtype} of shape {tuple(tags.shape)}")
        real = length_mask(lengths, tags.shape[1])
        wrong = (real & ((tags < 0) | (tags >= self.num_tags))).nonzero()
        if len(wrong):
            row, step = wrong[0].tolist()
            raise ValueError(f"tag {int(tags[row, step])} in row {row}, step {step}: tags are 0..{self.num_tags - 1}")
        return F.pad(tags.masked_fill(~real, self.num_tags), (1, 1), value=self.num_tags)


def likelihood(emissions: Tensor, path: Tensor, transitions: Tensor, lengths: Tensor) -> Tensor:
    """The log-likelihood (B,) of a ``path`` (B, T + 2) with boundaries, by ``transitions`` (K + 1, K + 1) with boundaries."""
    return path_score(emissions, path, transitions) - log_partition(steps_first(emissions), transitions, lengths)


def path_score(emissions: Tensor, path: Tensor, transitions: Tensor) -> Tensor:
    """The score s (B,) of a ``path`` (B, T + 2) with boundaries."""
    gathered = F.pad(emissions, (0, 1)).gather(2, path[:, 1:-1].unsqueeze(2))  # K, which is no tag, has the score 0
    return gathered.sum((1, 2)) + transitions[path[:, :-1], path[:, 1:]].sum(1)


def check_emissions(emissions: Tensor, num_tags: int) -> None:
    """Refuse emissions that are not floats of shape (B, T, K)."""
    check_tensors(emissions=emissions)
    if emissions.dim() != 3 or emissions.shape[2] != num_tags or not emissions.is_floating_point():
        kind = f"{emissions.dtype} of shape {tuple(emissions.shape)}"
        raise ValueError(f"emissions must be floats of shape (B, T, {num_tags}), not {kind}")


def check_constraints(constraints: Constraints, num_tags: int) -> None:
    """Check the dtypes and shapes of ``constraints`` on K tags."""
    shapes = (num_tags, num_tags), (num_tags,), (num_tags,)
    if not isinstance(constraints, tuple) or len(constraints) != len(shapes):
        raise ValueError(f"constraints must be Constraints, or None, not {shown(constraints)}")
    check_tensors(**constraints._asdict())
    for name, part, shape in zip(constraints._fields, constraints, shapes, strict=True):
        if part.dtype != torch.bool or part.shape != shape:
            raise ValueError(f"{name} of constraints must be bool of shape {shape}, not {part.dtype} of {tuple(part.shape)}")
