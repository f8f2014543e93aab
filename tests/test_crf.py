"""Conditional random fields against enumeration, in double precision unless said. Shapes: B rows, T steps, K tags, N paths."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import pytest
import torch
from crf_oracles import (
    INVENTORIES,
    LONGEST,
    NEVER,
    Enumerated,
    constraints_of,
    enumerate_all,
    random_field,
    random_rows,
)
from torch import Tensor, nn

from rnn_lightning import IGNORED, LinearChainCRF, span_constraints
from rnn_lightning.crf import partition

assert_close = partial(torch.testing.assert_close, rtol=0.0, atol=1e-9)
fields = pytest.mark.parametrize(
    ("seed", "num_tags", "constrained"),
    [(seed, *case) for seed, case in enumerate(itertools.product(range(1, 6), [False, True]))] + [(77, 3, True), (78, 4, True)],
)


@pytest.fixture(params=["scaled", "in_logs"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to log Z: the second is otherwise taken only where the first does not reach."""
    if request.param == "in_logs":
        monkeypatch.setattr(partition, "trusted", lambda *_: False)
    return request.param


@dataclass(frozen=True)
class Case:
    """A field, a row of each length, and all that each row may be."""

    field: LinearChainCRF
    emissions: Tensor
    lengths: Tensor
    every: list[Enumerated]

    def with_gold(self) -> tuple[Tensor, Tensor, Tensor, list[Enumerated]]:
        """Emissions, gold and lengths of the rows that have a sequence; the third best is gold, or the last."""
        rows = [row for row, one in enumerate(self.every) if one.scores]
        gold = [self.every[row].sequences[:3][-1] for row in rows]
        padded = torch.tensor([[*tags, *[IGNORED] * (LONGEST + 1 - len(tags))] for tags in gold])
        return self.emissions[rows], padded, self.lengths[rows], [self.every[row] for row in rows]


@cache
def case_of(seed: int, num_tags: int, constrained: bool) -> Case:
    field, (emissions, lengths) = random_field(seed, num_tags, constrained=constrained), random_rows(seed, num_tags)
    rows = zip(emissions, lengths.tolist(), strict=True)
    return Case(field, emissions, lengths, [enumerate_all(field, constraints_of(field), row[:length]) for row, length in rows])


@fields
def test_log_partition_and_marginals_are_those_of_all_sequences(form: str, seed: int, num_tags: int, constrained: bool) -> None:
    case = case_of(seed, num_tags, constrained)
    expected = torch.tensor([one.log_partition for one in case.every], dtype=torch.float64)
    assert_close(case.field.log_partition(case.emissions, case.lengths), expected)
    counts = torch.stack([one.tag_counts(LONGEST + 1, num_tags) for one in case.every])
    assert_close(case.field.marginals(case.emissions, case.lengths), counts)


@fields
@pytest.mark.parametrize("n_best", [1, 2, 30])
def test_the_best_paths_are_those_of_all_sequences(seed: int, num_tags: int, constrained: bool, n_best: int) -> None:
    case = case_of(seed, num_tags, constrained)
    tags, scores = case.field.decode(case.emissions, case.lengths, n_best)
    assert tags.shape == (len(case.lengths), n_best, LONGEST + 1)
    for row, one in enumerate(case.every):
        missing = max(0, n_best - len(one.scores))
        expected = [*one.sequences[:n_best], *[()] * missing]
        assert tags[row].tolist() == [[*path, *[IGNORED] * (LONGEST + 1 - len(path))] for path in expected]
        assert scores[row].tolist() == pytest.approx([*one.scores[:n_best], *[NEVER] * missing], abs=1e-9)


@fields
def test_scores_are_sums_and_forbidden_sequences_are_impossible(seed: int, num_tags: int, constrained: bool) -> None:
    case = case_of(seed, num_tags, constrained)
    row = case.lengths.tolist().index(4)
    every = torch.tensor(list(itertools.product(range(num_tags), repeat=4)))
    scores = case.field.score(case.emissions[row, :4].expand(len(every), -1, -1), every)
    found = {tuple(tags): score for tags, score in zip(every.tolist(), scores.tolist(), strict=True) if score > NEVER}
    assert found == pytest.approx(dict(zip(case.every[row].sequences, case.every[row].scores, strict=True)), abs=1e-9)


@fields
def test_the_gradient_is_what_is_expected_less_what_is_there(form: str, seed: int, num_tags: int, constrained: bool) -> None:
    field = case_of(seed, num_tags, constrained).field
    emissions, gold, lengths, every = case_of(seed, num_tags, constrained).with_gold()
    there = [Enumerated([0.0], [tuple(tags[:length])]) for tags, length in zip(gold.tolist(), lengths.tolist(), strict=True)]
    weights = torch.linspace(0.5, 2, len(gold), dtype=torch.float64)
    field.zero_grad()
    (-field.log_likelihood(emissions.requires_grad_(), gold, lengths) * weights).sum().backward()

    def expected(count: Callable[[Enumerated], Tensor]) -> Tensor:
        pairs = zip(weights, every, there, strict=True)
        return torch.stack([weight * (count(one) - count(other)) for weight, one, other in pairs])

    assert_close(emissions.grad, expected(lambda one: one.tag_counts(LONGEST + 1, num_tags)))
    moves = expected(lambda one: one.move_counts(num_tags)).sum(0)
    assert_close(field.transitions.grad, moves[:-1, :-1])
    assert_close([field.start.grad, field.end.grad], [moves[-1, :-1], moves[:-1, -1]])


def test_gradients_pass_the_check_by_differences(form: str) -> None:
    field, (emissions, gold, lengths, _) = case_of(77, 3, True).field, case_of(77, 3, True).with_gold()
    checked = emissions.requires_grad_(), *field.parameters()  # the check moves their values in place
    assert torch.autograd.gradcheck(lambda *_: field.loss(emissions, gold, lengths), checked)


def test_without_transitions_it_is_the_softmax_of_each_step() -> None:
    emissions, lengths = random_rows(0, 4)
    field, gold = LinearChainCRF(4).double(), torch.arange(emissions.shape[0] * emissions.shape[1]).view(len(emissions), -1) % 4
    real = torch.arange(emissions.shape[1]) < lengths.unsqueeze(1)
    assert_close(field.marginals(emissions, lengths)[real], emissions.softmax(2)[real])
    assert_close(field.loss(emissions, gold, lengths), nn.functional.cross_entropy(emissions[real], gold[real]))
    assert_close(field.loss(emissions, gold), nn.functional.cross_entropy(emissions.flatten(0, 1), gold.flatten()))
    assert field.decode(emissions).tags.squeeze(1).equal(emissions.argmax(2))


def outcomes(field: LinearChainCRF, emissions: Tensor, gold: Tensor, lengths: Tensor) -> list[Tensor]:
    """All that a batch gives, with its rows first."""
    field.zero_grad()
    emissions = emissions.clone().requires_grad_()
    likelihood = field.log_likelihood(emissions, gold, lengths)
    likelihood.sum().backward()
    assert emissions.grad is not None
    steps = int(lengths.max())
    tags, scores = field.decode(emissions, lengths, 3)
    return [
        likelihood.detach(),
        emissions.grad[:, :steps],
        field.marginals(emissions, lengths)[:, :steps],
        tags[..., :steps],
        scores,
    ]


def test_padding_and_the_order_of_rows_change_nothing(form: str) -> None:
    field, (emissions, gold, lengths, _) = case_of(78, 4, True).field, case_of(78, 4, True).with_gold()
    expected = outcomes(field, emissions, gold, lengths)
    gradients = [parameter.grad for parameter in field.parameters()]
    padding = torch.arange(emissions.shape[1]) >= lengths.unsqueeze(1)
    for content in (math.nan, math.inf, 1e30):
        other = outcomes(field, emissions.masked_fill(padding.unsqueeze(2), content), gold.masked_fill(padding, 9), lengths)
        torch.testing.assert_close(other, expected, rtol=0, atol=0)
        longer = nn.functional.pad(emissions, (0, 0, 0, 3), value=content), nn.functional.pad(gold, (0, 3)), lengths
        torch.testing.assert_close(outcomes(field, *longer), expected, rtol=0, atol=0)
        torch.testing.assert_close([parameter.grad for parameter in field.parameters()], gradients, rtol=0, atol=0)
    order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(0))
    assert_close(outcomes(field, emissions[order], gold[order], lengths[order]), [part[order] for part in expected])
    for row, length in enumerate(lengths.tolist()):
        alone = outcomes(field, emissions[row : row + 1, :length], gold[row : row + 1, :length], lengths[row : row + 1])
        assert_close([part[0] for part in alone[:1]], [expected[0][row]])
        assert alone[3].equal(expected[3][row : row + 1, :, :length])


def long_rows() -> tuple[LinearChainCRF, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    field = LinearChainCRF(5, span_constraints(INVENTORIES["BIO"], "BIO"))
    for parameter in field.parameters():
        nn.init.normal_(parameter, generator=generator)
    return field, 3 * torch.randn(2, 5000, 5, generator=generator), torch.tensor([5000, 4000])


def test_the_gradients_of_long_rows_are_as_exact_as_those_of_short_ones(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    field, emissions, lengths = long_rows()
    total = field.log_partition(emissions.requires_grad_(), lengths)
    total.sum().backward()
    assert emissions.grad is not None and field.transitions.grad is not None
    monkeypatch.undo()
    field.double()
    torch.testing.assert_close(total.double(), field.log_partition(emissions.double(), lengths), rtol=1e-6, atol=0)
    torch.testing.assert_close(emissions.grad.double(), field.marginals(emissions.double(), lengths), rtol=0, atol=1e-4)
    assert field.transitions.grad.sum().item() == pytest.approx(8998, rel=1e-5)


def test_the_best_paths_of_long_rows_are_those_of_double_precision() -> None:
    field, emissions, lengths = long_rows()
    best, exact = field.decode(emissions, lengths), field.double().decode(emissions.double(), lengths)
    assert best.tags.equal(exact.tags)
    torch.testing.assert_close(best.scores.double(), exact.scores, rtol=1e-6, atol=0)


def test_a_batch_may_be_empty() -> None:
    field = random_field(0, 3, constrained=False)
    for rows, steps in ((0, 4), (0, 0), (2, 0)):
        emissions, lengths = torch.zeros(rows, steps, 3, requires_grad=True), torch.zeros(rows, dtype=torch.int64)
        gold = torch.zeros(rows, steps, dtype=torch.int64)
        loss = field.loss(emissions, gold, lengths)
        loss.backward()
        assert loss.item() == 0
        assert field.marginals(emissions, lengths).shape == (rows, steps, 3)
        paths = field.decode(emissions, lengths, 2)
        assert paths.tags.shape == (rows, 2, steps)
        assert paths.scores.tolist() == [[0.0, NEVER]] * rows


def test_half_precision_is_lifted_and_inference_mode_gives_marginals() -> None:
    field, (emissions, lengths) = random_field(2, 4, constrained=False).float(), random_rows(2, 4)
    half = emissions.bfloat16()
    expected = field.log_partition(half.float(), lengths), field.marginals(half.float(), lengths)
    with torch.autocast("cpu", torch.bfloat16):
        assert field.log_partition(half, lengths).equal(expected[0])
        assert field.log_partition(half, lengths).dtype == torch.float32
    with torch.inference_mode():
        assert field.marginals(half + 0, lengths + 0).equal(expected[1])
