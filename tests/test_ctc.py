"""The loss and the alignment of CTC against enumeration of all paths; what cannot be said is never a number that lies."""

import math
from itertools import product

import pytest
import torch
from ctc_oracles import best_path, posteriors, sequences, spelled
from torch import Tensor

from rnn_lightning.ctc import ctc_align, ctc_loss, feasible
from rnn_lightning.ctc.contract import min_steps
from rnn_lightning.ctc.lattice import final_scores, forward_scores, with_blanks
from rnn_lightning.sequences import IGNORED, length_mask

SHAPES = [(steps, labels, blank) for steps in (1, 2, 3, 5) for labels, blank in ((2, 0), (2, 1), (3, 1), (4, 0), (4, 3))]


def targets_for(labels: int, blank: int, longest: int) -> list[tuple[int, ...]]:
    """Some targets of every length up to one too many, repeats among them."""
    draws = torch.Generator().manual_seed(labels + 10 * blank)
    known = torch.tensor([label for label in range(labels) if label != blank])
    found = [tuple(known[torch.randint(len(known), (length,), generator=draws)].tolist()) for length in range(longest + 2)]
    return [*found, (int(known[0]),) * 2, (int(known[0]), int(known[-1]), int(known[0]))]


def padded(rows: list[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(row) for row in rows])
    targets = torch.full((len(rows), int(lengths.max())), IGNORED)
    for place, row in enumerate(rows):
        targets[place, : len(row)] = torch.tensor(row, dtype=torch.int64)
    return targets, lengths


@pytest.mark.parametrize(("steps", "labels", "blank"), SHAPES)
def test_the_loss_is_the_sum_over_all_paths(steps: int, labels: int, blank: int) -> None:
    rows = targets_for(labels, blank, steps)
    log_probs = posteriors(len(rows), steps, labels, seed=steps)
    targets, target_lengths = padded(rows)
    lengths = torch.tensor([steps - row % 2 for row in range(len(rows))])
    losses = ctc_loss(log_probs, targets, lengths, target_lengths, blank=blank)
    for place, row in enumerate(rows):
        known = sequences(log_probs[place, : lengths[place]].numpy(), blank)
        assert losses[place].item() == pytest.approx(-known.get(row, -math.inf), abs=1e-10)
        assert bool(feasible(targets, lengths, target_lengths)[place]) == (row in known)


@pytest.mark.parametrize(("steps", "labels", "blank"), SHAPES)
def test_an_alignment_is_the_best_path_and_all_together_are_the_likelihood(steps: int, labels: int, blank: int) -> None:
    rows = targets_for(labels, blank, steps)
    log_probs = posteriors(len(rows), steps, labels, seed=10 + steps)
    targets, target_lengths = padded(rows)
    lengths = torch.tensor([steps - row % 2 for row in range(len(rows))])
    log_probs = log_probs.masked_fill(~length_mask(lengths, steps).unsqueeze(2), math.nan)
    found = ctc_align(log_probs, targets, lengths, target_lengths, blank=blank)
    places = with_blanks(targets.clamp(min=0), blank)
    last = forward_scores(log_probs, places, lengths, target_lengths, total=True)[-1]
    total = torch.logaddexp(*final_scores(last, target_lengths))
    torch.testing.assert_close(-total, ctc_loss(log_probs, targets, lengths, target_lengths, blank=blank))
    for place, row in enumerate(rows):
        length = int(lengths[place])
        best = best_path(log_probs[place, :length].numpy(), row, blank)
        if best is None:
            assert found.scores[place] == -math.inf and bool((found.labels[place] == IGNORED).all())
            assert not found.confidence[place].any()
            continue
        assert found.scores[place].item() == pytest.approx(best[1], abs=1e-10)
        assert tuple(found.labels[place, :length].tolist()) == best[0]
        assert bool((found.labels[place, length:] == IGNORED).all())
        for at, label in enumerate(row):
            start, end = int(found.starts[place, at]), int(found.ends[place, at])
            assert start < end and best[0][start:end] == (label,) * (end - start)
            mean = log_probs[place, start:end, label].exp().mean().item()
            assert found.confidence[place, at].item() == pytest.approx(mean)


def test_padding_and_other_rows_change_nothing() -> None:
    log_probs = posteriors(3, 6, 4, seed=1).requires_grad_()
    targets, lengths = torch.tensor([[1, 2, IGNORED], [3, 3, 1], [2, IGNORED, IGNORED]]), torch.tensor([5, 6, 3])
    target_lengths = torch.tensor([2, 3, 1])
    losses = ctc_loss(log_probs, targets, lengths, target_lengths)
    losses.sum().backward()
    grown = torch.cat([log_probs.detach(), torch.full((3, 2, 4), math.nan, dtype=torch.float64)], 1)
    grown[0, 5] = math.nan
    grown.requires_grad_()
    again = ctc_loss(grown, torch.cat([targets, torch.full((3, 2), 77)], 1), lengths, target_lengths)
    again.sum().backward()
    assert torch.equal(losses, again)
    assert log_probs.grad is not None and grown.grad is not None
    assert torch.equal(log_probs.grad[1], grown.grad[1, :6]) and not grown.grad[:, 6:].any()
    for row in range(3):
        alone = ctc_loss(log_probs[row : row + 1, : lengths[row]], targets[row : row + 1, : target_lengths[row]])
        torch.testing.assert_close(alone[0], losses[row])


def test_gradients_are_those_of_the_sum() -> None:
    scores = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[1, 2], [1, 1]])
    assert torch.autograd.gradcheck(lambda given: ctc_loss(given.log_softmax(2), targets), (scores,))


def test_what_cannot_be_said_is_infinite_and_teaches_nothing() -> None:
    log_probs = posteriors(3, 2, 3, seed=2).requires_grad_()
    losses = ctc_loss(log_probs, torch.tensor([[1, 2], [1, 1], [2, 0]]), None, torch.tensor([2, 2, 1]))
    assert losses.isinf().tolist() == [False, True, False]
    losses[losses.isfinite()].sum().backward()
    assert log_probs.grad is not None
    assert not log_probs.grad[1].any() and bool(log_probs.grad.isfinite().all())


def test_nothing_says_nothing_for_certain() -> None:
    log_probs, none = posteriors(2, 3, 3, seed=3), torch.zeros(2, dtype=torch.int64)
    losses = ctc_loss(log_probs, torch.zeros(2, 0, dtype=torch.int64), torch.tensor([0, 3]), none)
    assert losses[0] == 0 and losses[1].item() == pytest.approx(-log_probs[1, :, 0].sum().item())
    assert ctc_loss(log_probs, torch.ones(2, 1).long(), none)[0] == math.inf


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_single(dtype: torch.dtype) -> None:
    log_probs = posteriors(1, 400, 5, seed=4).to(dtype)
    targets = torch.tensor([[1, 2, 3, 4] * 20])
    found = ctc_loss(log_probs, targets)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, ctc_loss(log_probs.float(), targets))


def test_min_steps_count_a_blank_between_equals() -> None:
    targets = torch.tensor([[1, 1, 1], [1, 2, 1], [1, 1, 2], [2, 2, 2]])
    assert min_steps(targets, torch.tensor([3, 3, 3, 1])).tolist() == [5, 3, 4, 1]


GOOD = {"log_probs": torch.zeros(2, 3, 4), "targets": torch.ones(2, 2).long()}
REFUSED = {
    "a label that is none": ({"targets": torch.tensor([[1, 2], [1, 4]])}, "target 4 in row 1, place 1: labels are 0..3"),
    "a negative label": ({"targets": torch.tensor([[1, -1], [1, 2]])}, "target -1 in row 0, place 1"),
    "a blank as target": ({"targets": torch.tensor([[1, 0], [1, 2]])}, "target 0 in row 0, place 1: .* without the blank, 0"),
    "a negative length": ({"lengths": torch.tensor([3, -1])}, r"lengths\[1\] is -1; it must lie in 0..3"),
    "a length too long": ({"lengths": torch.tensor([4, 1])}, r"lengths\[0\] is 4; it must lie in 0..3"),
    "a target length too long": ({"target_lengths": torch.tensor([2, 3])}, r"target_lengths\[1\] is 3; it must lie in 0..2"),
    "lengths of other rows": ({"lengths": torch.tensor([3])}, "lengths must be 2 integers"),
    "lengths that are no integers": ({"lengths": torch.tensor([3.0, 1.0])}, "lengths must be 2 integers"),
    "a blank that is none": ({"blank": 4}, "blank must be one of the labels 0..3, not 4"),
    "other rows": ({"targets": torch.ones(3, 2).long()}, "one row for each of log_probs, 2, not 3"),
    "scores": ({"log_probs": torch.ones(2, 3, 4)}, r"log_probs\[0, 0, 0\] is 1.0; .* use log_softmax"),
    "NaN": ({"log_probs": torch.full((2, 3, 4), math.nan)}, r"log_probs\[0, 0, 0\] is nan"),
    "a flat batch": ({"log_probs": torch.zeros(2, 3)}, r"shape \(B, T, C\), not torch.float32 of shape \(2, 3\)"),
    "float targets": ({"targets": torch.ones(2, 2)}, "targets must be integers"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("function", [ctc_loss, ctc_align])
def test_bad_input_is_refused_by_name(name: str, function: object) -> None:
    changes, said = REFUSED[name]
    told = {**GOOD, **changes}
    with pytest.raises(ValueError, match=said):
        function(told.pop("log_probs"), told.pop("targets"), **told)  # type: ignore[operator]


def test_an_impossible_label_has_no_gradient() -> None:
    """As by enumeration: where no path passes, nothing is learned, and nothing is NaN."""
    scores = torch.randn(3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    scores[:, :, 3] = -math.inf
    scores[1, 2, 1] = -math.inf
    targets, counts = torch.tensor([[1, 2], [1, 2], [3, 1]]), torch.tensor([2, 2, 2])
    given, listed = scores.clone().requires_grad_(), scores.clone().requires_grad_()
    losses = ctc_loss(given.log_softmax(2), targets, None, counts)
    assert losses[2] == math.inf
    losses.sum().backward()
    by_paths = []
    for row in range(2):
        chances = listed[row].softmax(1)
        fitting = [path for path in product(range(4), repeat=4) if spelled(path, 0) == (1, 2)]
        by_paths.append(-torch.stack([chances[range(4), path].prod() for path in fitting]).sum().log())
    torch.stack(by_paths).sum().backward()
    torch.testing.assert_close(losses[:2], torch.stack(by_paths))
    assert given.grad is not None and listed.grad is not None
    torch.testing.assert_close(given.grad, listed.grad)
    assert not given.grad[:, :, 3].any()
