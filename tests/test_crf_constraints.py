"""What constraints forbid is impossible: in training, in decoding, as gold. Shapes: B rows, T steps, K tags, N paths."""

import io
import itertools
import math

import pytest
import torch
from crf_oracles import (
    INVENTORIES,
    NEVER,
    constraints_of,
    enumerate_all,
    is_allowed,
    is_written_in,
    random_field,
    random_rows,
)
from torch import nn

from rnn_lightning import IGNORED, Constraints, LinearChainCRF, span_constraints

schemes = pytest.mark.parametrize("scheme", INVENTORIES)


@schemes
def test_the_constraints_of_a_scheme_are_its_grammar(scheme: str) -> None:
    names = INVENTORIES[scheme]
    constraints = span_constraints(names, scheme)
    for length in range(5):
        for tags in itertools.product(range(len(names)), repeat=length):
            assert is_allowed(constraints, tags) == is_written_in(scheme, [names[tag] for tag in tags]), tags


@schemes
@pytest.mark.parametrize("size", [1.0, 1e4, 1e30, 1e37])
def test_no_path_of_ten_thousand_is_one_that_the_scheme_forbids(scheme: str, size: float) -> None:
    names = INVENTORIES[scheme]
    field = LinearChainCRF(len(names), span_constraints(names, scheme))
    generator = torch.Generator().manual_seed(0)
    for parameter in field.parameters():
        nn.init.normal_(parameter, std=size, generator=generator)
    emissions = size * torch.randn(2500, 9, len(names), generator=generator)
    lengths = torch.randint(1, 10, (2500,), generator=generator)
    tags, scores = field.decode(emissions, lengths, n_best=2)
    for paths, length, best in zip(tags.tolist(), lengths.tolist(), scores.tolist(), strict=True):
        assert best[0] > NEVER
        assert best[0] >= best[1]
        assert paths[0] != paths[1]
        for path in paths if best[1] > NEVER else paths[:1]:
            assert is_written_in(scheme, [names[tag] for tag in path[:length]])
            assert set(path[length:]) <= {IGNORED}


@schemes
@pytest.mark.parametrize("size", [300.0, 1e4, 1e6])
def test_training_counts_only_allowed_sequences_whatever_the_emissions(scheme: str, size: float) -> None:
    names = INVENTORIES[scheme]
    field = LinearChainCRF(len(names), span_constraints(names, scheme))
    emissions = size * torch.randn(40, 3, len(names), generator=torch.Generator().manual_seed(1))
    every = [enumerate_all(field, constraints_of(field), row) for row in emissions]
    expected = torch.tensor([one.log_partition for one in every])
    gold = torch.tensor([one.sequences[-1] for one in every])
    emissions.requires_grad_()
    torch.testing.assert_close(field.log_partition(emissions), expected)
    field.loss(emissions, gold).backward()
    assert all(bool(part.grad.isfinite().all()) for part in (emissions, *field.parameters()) if part.grad is not None)
    counts = torch.stack([one.tag_counts(3, len(names)) for one in every])
    torch.testing.assert_close(field.marginals(emissions), counts.float(), rtol=0, atol=size * 1e-6)


def test_a_path_that_looked_lost_may_be_the_only_one() -> None:
    # After the first step tag 1 has a chance of e^-2000; what follows is allowed for it alone.
    allowed = Constraints(torch.tensor([[False, False], [False, True]]), torch.tensor([True, True]), torch.tensor([True, True]))
    field = LinearChainCRF(2, allowed)
    emissions = torch.tensor([[[1000.0, -1000.0], [5.0, -5.0]]], requires_grad=True)
    total = field.log_partition(emissions)
    total.backward()
    assert total.item() == pytest.approx(-1005)
    assert emissions.grad is not None
    assert emissions.grad.tolist() == [[[0.0, 1.0], [0.0, 1.0]]]
    assert field.decode(emissions).tags.tolist() == [[[1, 1]]]


def test_a_row_without_any_sequence_costs_the_others_nothing() -> None:
    nothing_follows = Constraints(torch.zeros(2, 2).bool(), torch.ones(2).bool(), torch.ones(2).bool())
    field = LinearChainCRF(2, nothing_follows)
    emissions = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    total = field.log_partition(emissions, torch.tensor([4, 1, 2]))
    assert total[[0, 2]].tolist() == [NEVER, NEVER]
    total.sum().backward()
    assert emissions.grad is not None
    torch.testing.assert_close(emissions.grad[1, 0], emissions[1, 0].softmax(0))
    assert emissions.grad[[0, 2]].tolist() == torch.zeros(2, 4, 2).tolist()
    tags, scores = field.decode(emissions, torch.tensor([4, 1, 2]), n_best=2)
    assert tags[[0, 2]].unique().tolist() == [IGNORED]
    assert scores.isfinite().tolist() == [[False, False], [True, True], [False, False]]


@pytest.mark.parametrize("tag", [5, IGNORED])
def test_gold_that_is_no_tag_is_refused(tag: int) -> None:
    field = LinearChainCRF(5, span_constraints(INVENTORIES["BIO"], "BIO"))
    with pytest.raises(ValueError, match=rf"^tag {tag} in row 1, step 1: tags are 0..4$"):
        field.loss(torch.zeros(2, 3, 5), torch.tensor([[0, 0, 0], [0, tag, 0]]))


@schemes
def test_gold_that_the_constraints_forbid_has_the_likelihood_without_them(scheme: str) -> None:
    """All sequences of three tags at once: what is allowed counts as ever, what is not as if nothing were forbidden."""
    names = INVENTORIES[scheme]
    field = LinearChainCRF(len(names), span_constraints(names, scheme)).double()
    for parameter in field.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(2))
    free = LinearChainCRF(len(names)).double()
    free.load_state_dict({**field.state_dict(), "forbidden": free.forbidden})
    gold = torch.tensor(list(itertools.product(range(len(names)), repeat=3)))
    regular = torch.tensor([is_allowed(constraints_of(field), tuple(row)) for row in gold.tolist()])
    emissions = torch.randn(1, 3, len(names), dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    rows = emissions.expand(len(gold), -1, -1).clone().requires_grad_()
    found = field.log_likelihood(rows, gold)
    torch.testing.assert_close(found[regular], field.score(rows, gold)[regular] - field.log_partition(rows)[regular])
    torch.testing.assert_close(found[regular].exp().sum(), torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(found[~regular], free.log_likelihood(rows, gold)[~regular])
    assert bool((field.score(rows, gold)[~regular] == NEVER).all())
    found.sum().backward()
    assert all(bool(part.grad.isfinite().all()) for part in (rows, *field.parameters()) if part.grad is not None)


def test_irregular_gold_changes_nothing_for_the_other_rows() -> None:
    names = INVENTORIES["BIO"]
    field = LinearChainCRF(len(names), span_constraints(names, "BIO"))
    emissions = torch.randn(3, 4, len(names), generator=torch.Generator().manual_seed(4))
    outside, inside = names.index("O"), next(n for n, name in enumerate(names) if name.startswith("I"))
    gold = torch.full((3, 4), outside)
    alone = field.log_likelihood(emissions, gold)
    gold[1, 0] = inside
    assert field.log_likelihood(emissions, gold)[[0, 2]].equal(alone[[0, 2]])


def test_constraints_and_parameters_travel_with_the_weights() -> None:
    field, kept = random_field(4, 5, constrained=True), io.BytesIO()
    torch.save(field.state_dict(), kept)
    kept.seek(0)
    other = LinearChainCRF(5).double()
    other.load_state_dict(torch.load(kept, weights_only=True))
    emissions, lengths = random_rows(4, 5)
    assert other.log_partition(emissions, lengths).equal(field.log_partition(emissions, lengths))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_emissions_that_are_not_finite_decode_to_nothing(value: float) -> None:
    emissions = torch.zeros(2, 3, 2)
    emissions[1, 1, 0] = value
    with pytest.raises(FloatingPointError, match="emissions and their sums must be finite"):
        LinearChainCRF(2).decode(emissions)
    with pytest.raises(FloatingPointError, match="emissions and their sums must be finite"):
        LinearChainCRF(2).loss(emissions, torch.ones(2, 3, dtype=torch.int64))
    LinearChainCRF(2).decode(emissions, torch.tensor([3, 1]))


def test_what_does_not_fit_is_refused() -> None:
    field, emissions, tags = LinearChainCRF(3), torch.zeros(2, 4, 3), torch.zeros(2, 4, dtype=torch.int64)
    square, row = torch.ones(3, 3).bool(), torch.ones(3).bool()
    for message, call in [
        ("num_tags must be a whole number of at least 1, not 0", lambda: LinearChainCRF(0)),
        (
            "transitions of constraints must be bool of shape (3, 3), not torch.float32 of (3, 3)",
            lambda: LinearChainCRF(3, Constraints(square.float(), row, row)),
        ),
        (
            "ends of constraints must be bool of shape (3,), not torch.bool of (2,)",
            lambda: LinearChainCRF(3, Constraints(square, row, row[:2])),
        ),
        (
            "emissions must be floats of shape (B, T, 3), not torch.float32 of shape (2, 4, 2)",
            lambda: field.log_partition(emissions[:, :, :2]),
        ),
        ("lengths[1] is 5; it must lie in 0..4, the steps of the batch", lambda: field.decode(emissions, torch.tensor([4, 5]))),
        ("tags must be int64 of shape (2, 4), not torch.int64 of shape (2, 3)", lambda: field.score(emissions, tags[:, :3])),
        ("tags must be int64 of shape (2, 4), not torch.int32 of shape (2, 4)", lambda: field.loss(emissions, tags.int())),
        ("n_best must be a whole number of at least 1, not 0", lambda: field.decode(emissions, n_best=0)),
        ("scheme must be one of ['BIO', 'BIOES'], not 'IO'", lambda: span_constraints(["O"], "IO")),
        (
            "a tag of BIO must be O, B-TYPE, I-TYPE, or such a letter alone, not 'E-LOC'",
            lambda: span_constraints(["O", "E-LOC"], "BIO"),
        ),
    ]:
        with pytest.raises(ValueError) as raised:
            call()
        assert str(raised.value) == message


@pytest.mark.parametrize("tag", ["", "X", "O-LOC", "B-", "-LOC", "BI-LOC", "LOC"])
def test_a_tag_that_marks_no_span_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="a tag of BIOES must be O, B-TYPE, I-TYPE, E-TYPE, S-TYPE"):
        span_constraints(["O", tag], "BIOES")
