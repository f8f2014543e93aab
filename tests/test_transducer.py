"""RNN transducers: every alignment enumerated, decoding against all label sequences, streams, and learning."""

import itertools
import math
from collections import defaultdict
from typing import Any

import pytest
import torch
from torch import Tensor

from rnn_lightning import IGNORED, Batch, Transducer, check_invariance, transducer_loss
from rnn_lightning.recurrent import CELLS

LABELS = ["-", "a", "b"]
LENGTHS = torch.tensor([4, 2, 0, 3])
TARGETS = torch.tensor([[1, 2, 1], [2, IGNORED, IGNORED], [1, 1, IGNORED], [IGNORED] * 3])
COUNTS = torch.tensor([3, 1, 2, 0])


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def model(cell: str = "gru", **more: Any) -> Transducer:
    torch.manual_seed(0)
    made = Transducer({"cell": cell, "hidden_size": 4}, 3, LABELS, embedding_size=3, joint_size=5, **more).double().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2)
    return made


def by_alignments(log_probs: Tensor, target: list[int], blank: int = 0) -> float:
    """log of the sum over all ways to mix so many blanks, the last one last, with the labels of ``target``."""
    steps, total = len(log_probs), 0.0
    for places in itertools.combinations(range(steps + len(target) - 1), len(target)):
        time = said = 0
        weight = 0.0
        for place in range(steps + len(target)):
            label = target[said] if place in places else blank
            weight += float(log_probs[time, said, label])
            time, said = (time, said + 1) if place in places else (time + 1, said)
        total += math.exp(weight)
    return math.log(total)


def test_the_loss_is_the_sum_over_all_alignments() -> None:
    log_probs = (2 * draw(4, 4, 4, 3)).log_softmax(3)
    losses = transducer_loss(log_probs, TARGETS, LENGTHS, COUNTS)
    for row, (length, count) in enumerate(zip(LENGTHS.tolist(), COUNTS.tolist(), strict=True)):
        expected = -by_alignments(log_probs[row, :length], TARGETS[row, :count].tolist()) if length else math.inf
        assert float(losses[row]) == pytest.approx(expected, rel=1e-12)
    other = transducer_loss(log_probs[..., [1, 0, 2]], torch.where(TARGETS == 1, 0, TARGETS), LENGTHS, COUNTS, blank=1)
    torch.testing.assert_close(other, losses)


def test_gradients_are_those_of_differences_and_padding_has_none() -> None:
    scores = draw(4, 4, 4, 3).requires_grad_()

    def loss(scores: Tensor) -> Tensor:
        return transducer_loss(scores.log_softmax(3), TARGETS, LENGTHS, COUNTS)[[0, 1, 3]]

    assert torch.autograd.gradcheck(loss, scores)
    loss(scores).sum().backward()
    assert scores.grad is not None
    for row, (length, count) in enumerate(zip(LENGTHS.tolist(), COUNTS.tolist(), strict=True)):
        assert not scores.grad[row, length:].any() and not scores.grad[row, :, count + 1 :].any()
        assert not length or scores.grad[row, :length, : count + 1].any()


def test_garbage_in_the_padding_changes_nothing() -> None:
    log_probs = (2 * draw(4, 4, 4, 3)).log_softmax(3)
    losses, garbage = transducer_loss(log_probs, TARGETS, LENGTHS, COUNTS), log_probs.clone()
    for row, (length, count) in enumerate(zip(LENGTHS.tolist(), COUNTS.tolist(), strict=True)):
        garbage[row, length:], garbage[row, :, count + 1 :] = math.nan, math.nan
    assert torch.equal(transducer_loss(garbage, TARGETS, LENGTHS, COUNTS), losses)


def test_long_rows_have_finite_losses_and_gradients() -> None:
    scores = (20 * draw(1, 300, 41, 3)).float().requires_grad_()
    loss = transducer_loss(scores.log_softmax(3), torch.randint(1, 3, (1, 40)))
    loss.sum().backward()
    assert loss.isfinite().all() and scores.grad is not None and scores.grad.isfinite().all()


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"log_probs": torch.zeros(4, 4, 3)}, r"log_probs must be floats of shape \(B, T, U \+ 1, C\)"),
    (
        {"targets": TARGETS[:, :2], "target_lengths": COUNTS.clamp(max=2)},
        "log_probs must have 3 places, one more than the targets",
    ),
    ({"targets": torch.zeros_like(TARGETS)}, "labels are 0..2 without the blank, 0"),
    ({"lengths": LENGTHS + 2}, r"lengths\[0\] is 6; it must lie in 0..4"),
    ({"log_probs": torch.ones(4, 4, 4, 3)}, "log_probs has a number that is NaN or above 0"),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED, ids=range(len(REFUSED)))
def test_what_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    given = {"log_probs": torch.full((4, 4, 4, 3), -1.0), "targets": TARGETS, "lengths": LENGTHS, "target_lengths": COUNTS}
    with pytest.raises(ValueError, match=said):
        transducer_loss(**{**given, **changes})


def every_sequence(system: Transducer, inputs: Tensor, per_step: int) -> dict[tuple[int, ...], float]:
    """The log-probability of each label sequence of ``inputs`` (1, T, F), by all paths with so many labels a step at most."""
    steps, found = inputs.shape[1], defaultdict(float)
    for counts in itertools.product(range(per_step + 1), repeat=steps):
        for target in itertools.product((1, 2), repeat=sum(counts)):
            lattice = system.lattice(inputs, None, torch.tensor([target], dtype=torch.int64).view(1, -1))[0]
            said, weight = 0, 0.0
            for time, count in enumerate(counts):
                for _ in range(count):
                    weight += float(lattice[time, said, target[said]])
                    said += 1
                weight += float(lattice[time, said, 0])
            found[target] += math.exp(weight)
    return {target: math.log(chance) for target, chance in found.items()}


@torch.no_grad()
def test_a_wide_beam_finds_what_enumeration_finds() -> None:
    system, inputs = model(), draw(2, 3, 3)
    found = system.recognize(inputs, beam_size=200, n_best=4, per_step=2)
    for row in range(2):
        expected = sorted(every_sequence(system, inputs[row : row + 1], 2).items(), key=lambda pair: -pair[1])[:4]
        for place, (target, score) in enumerate(expected):
            assert tuple(found.labels[row, place, : found.lengths[row, place]].tolist()) == target
            assert float(found.scores[row, place]) == pytest.approx(score, rel=1e-9)


@torch.no_grad()
def test_the_likeliest_path_is_that_of_a_plain_loop_and_narrow_beams_are_no_better() -> None:
    system, inputs, lengths = model(), draw(5, 6, 3), torch.tensor([6, 1, 4, 0, 3])
    found, beam = system.recognize(inputs, lengths, per_step=2), system.recognize(inputs, lengths, beam_size=3, per_step=2)
    wide = system.recognize(inputs, lengths, beam_size=60, per_step=2)
    for row, length in enumerate(lengths.tolist()):
        target, score = [], 0.0
        for time in range(length):
            for count in range(3):
                lattice = system.lattice(
                    inputs[row : row + 1, :length], None, torch.tensor([target], dtype=torch.int64).view(1, -1)
                )
                best = int(lattice[0, time, -1].argmax()) if count < 2 else 0
                score += float(lattice[0, time, -1, best])
                if best == 0:
                    break
                target.append(best)
        assert found.labels[row, 0, : found.lengths[row, 0]].tolist() == target
        assert float(found.scores[row, 0]) == pytest.approx(score, rel=1e-9, abs=1e-12)
        assert float(beam.scores[row, 0]) <= float(wide.scores[row, 0]) + 1e-9


@pytest.mark.parametrize("cuts", [[2, 4], [1, 1, 4], [6]])
@pytest.mark.parametrize("subsampling", [None, {"channels": 3, "stride": 2, "kernel": 3}], ids=["all", "thinned"])
def test_a_stream_is_read_as_the_whole(cuts: list[int], subsampling: dict[str, Any] | None) -> None:
    system, inputs = model(subsampling=subsampling), draw(3, 12, 3)
    whole, state, found = system.recognize(inputs), None, [[], [], []]
    for part in inputs.split([2 * cut for cut in cuts] if sum(cuts) == 6 else cuts, 1):
        labels, state = system.stream(part, state)
        found = [[*before, *more] for before, more in zip(found, labels, strict=True)]
    assert found == [row[:size] for row, size in zip(whole.labels[:, 0].tolist(), whole.lengths[:, 0].tolist(), strict=True)]
    with pytest.raises(ValueError, match="a network that reads backwards reads no stream"):
        both = Transducer({"cell": "gru", "hidden_size": 4, "bidirectional": True}, 3, LABELS)
        both.stream(inputs.float())


@pytest.mark.parametrize("cell", CELLS)
def test_an_encoder_keeps_the_laws(cell: str) -> None:
    check_invariance(model(cell), inputs=draw(4, 6, 3))


def test_the_loss_of_a_batch_is_that_of_its_rows_alone() -> None:
    system, inputs = model(), draw(4, 4, 3)
    found, count = system.loss_on(Batch(inputs, LENGTHS, TARGETS, COUNTS), "train")
    total = 0.0
    for row, (length, size) in enumerate(zip(LENGTHS.tolist(), COUNTS.tolist(), strict=True)):
        if length:
            lattice = system.lattice(inputs[row : row + 1, :length], None, TARGETS[row : row + 1, :size])
            total -= by_alignments(lattice[0].detach(), TARGETS[row, :size].tolist())
    assert count == 3 + 1 + 1 and float(found.detach()) * count == pytest.approx(total, rel=1e-9)
    found.backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in system.parameters())
    nothing, count = system.loss_on(Batch(inputs, LENGTHS * 0, TARGETS, COUNTS), "train")
    assert (float(nothing.detach()), count) == (0.0, 0)


def test_it_learns_labels_without_their_times() -> None:
    """Three bumps of two kinds, with the label of each."""
    torch.manual_seed(0)
    system = Transducer({"cell": "gru", "hidden_size": 12}, 3, LABELS, embedding_size=4, joint_size=12)
    targets, inputs = torch.randint(1, 3, (32, 3)), 0.1 * torch.randn(32, 9, 3)
    inputs[:, 1::3] += torch.nn.functional.one_hot(targets, 3)
    optimizer = torch.optim.Adam(system.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        system.loss_on(Batch(inputs, None, targets), "train")[0].backward()
        optimizer.step()
    found = system.eval().recognize(inputs)
    assert found.lengths[:, 0].eq(3).float().mean() > 0.9
    assert (found.labels[:, 0, :3] == targets).float().mean() > 0.9


def test_settings_that_do_not_fit_are_refused() -> None:
    rnn = {"cell": "gru", "hidden_size": 4}
    with pytest.raises(ValueError, match="a prediction network must not read ahead"):
        Transducer(rnn, 3, LABELS, prediction={"bidirectional": True})
    with pytest.raises(ValueError, match="the likeliest path is one: give a beam_size"):
        model().recognize(draw(1, 3, 3), n_best=2)
    with pytest.raises(ValueError, match="per_step must be a whole number of at least 1, not 0"):
        model().recognize(draw(1, 3, 3), per_step=0)
    with pytest.raises(ValueError, match="n_best must be a whole number of 1 to 2, not 3"):
        model().recognize(draw(1, 3, 3), beam_size=2, n_best=3)
