"""Dropout for sequences. Shapes: B rows, T steps, F features."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from rnn_lightning import Batch, LanguageModel
from rnn_lightning.regularize import EmbeddingDropout, LockedDropout, change_penalty, make_dropout, size_penalty
from rnn_lightning.sequences import length_mask


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    probability=st.floats(0, 0.95),
    rows=st.integers(0, 4),
    steps=st.integers(0, 5),
    features=st.integers(1, 6),
    seed=st.integers(),
)
def test_a_locked_mask_is_one_for_all_steps(probability: float, rows: int, steps: int, features: int, seed: int) -> None:
    torch.manual_seed(seed % 2**32)
    ones = torch.ones(rows, steps, features)
    dropped = LockedDropout(probability)(ones)
    assert dropped.shape == ones.shape
    assert dropped.equal(dropped[:, :1].expand_as(dropped))
    kept = dropped[dropped != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - probability)))


def test_each_row_has_a_mask_of_its_own() -> None:
    torch.manual_seed(0)
    dropped = LockedDropout(0.5)(torch.ones(2, 3, 64))
    assert not dropped[0].equal(dropped[1])


@pytest.mark.parametrize("locked", [False, True])
def test_dropout_keeps_the_mean(locked: bool) -> None:
    torch.manual_seed(0)
    dropped = make_dropout(0.3, locked=locked)(torch.ones(200, 2, 200))
    assert abs(dropped.mean().item() - 1) < 4 * (0.3 / 0.7 / 40_000) ** 0.5


@pytest.mark.parametrize("locked", [False, True])
def test_nothing_drops_out_in_evaluation_or_at_probability_zero(locked: bool) -> None:
    ones = torch.ones(3, 4, 50)
    assert make_dropout(0.9, locked=locked).eval()(ones).equal(ones)
    assert make_dropout(0.0, locked=locked)(ones).equal(ones)


def test_gradients_pass_where_nothing_was_dropped() -> None:
    torch.manual_seed(0)
    inputs = torch.ones(2, 3, 8, requires_grad=True)
    dropped = LockedDropout(0.5)(inputs)
    (gradient,) = torch.autograd.grad(dropped.sum(), inputs)
    assert gradient.equal(dropped.detach())


def test_a_copy_drops_as_the_original_does() -> None:
    module, ones = LockedDropout(0.5), torch.ones(2, 3, 8)
    torch.manual_seed(0)
    expected = module(ones)
    torch.manual_seed(0)
    assert copy.deepcopy(module)(ones).equal(expected)


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("probability", [1.0, 1.5, -0.1, float("nan")])
def test_a_probability_outside_its_range_is_refused(probability: float, locked: bool) -> None:
    with pytest.raises(ValueError) as raised:
        make_dropout(probability, locked=locked)
    assert str(raised.value) == f"dropout must be a number in [0, 1), not {probability}"


def test_the_kind_is_chosen_by_locked() -> None:
    assert isinstance(make_dropout(0.5, locked=True), LockedDropout)
    assert isinstance(make_dropout(0.5, locked=False), nn.Dropout)


DROPOUTS = [
    ({"dropout": 0.5}, [True, True]),
    ({"dropout": 0.5, "input_dropout": 0.0}, [False, True]),
    ({"input_dropout": 0.5}, [True, False]),
]


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize(("dropouts", "drops"), DROPOUTS)
def test_a_language_model_drops_its_inputs_and_outputs_as_set(dropouts: dict, drops: list[bool], locked: bool) -> None:
    torch.manual_seed(0)
    model = LanguageModel(9, {"cell": "gru", "hidden_size": 4}, 4, locked=locked, **dropouts)
    seen: list[Tensor] = []
    for part in (model.network, model.output):
        part.register_forward_pre_hook(lambda _, read: seen.append(read[0]))
    model.network.register_forward_hook(lambda _, read, made: (torch.ones_like(made[0]), made[1]))
    nn.init.ones_(model.embedding.weight)
    model(torch.zeros(50, 2, dtype=torch.int64))
    assert [bool((read == 0).any()) for read in seen] == drops


def test_a_dropped_word_is_zero_wherever_it_stands() -> None:
    torch.manual_seed(0)
    module, tokens = EmbeddingDropout(0.5, 40), torch.randint(40, (6, 50))
    dropped = module(torch.ones(6, 50, 3), tokens)
    values = {word: set(dropped[tokens == word].flatten().tolist()) for word in tokens.unique().tolist()}
    assert all(len(found) == 1 for found in values.values()) and set.union(*values.values()) == {0.0, 2.0}
    assert module.eval()(torch.ones(6, 50, 3), tokens).eq(1).all()


@pytest.mark.parametrize("lengths", [None, torch.tensor([5, 2, 0, 1])])
def test_penalties_are_means_over_real_steps(lengths: Tensor | None) -> None:
    outputs = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(1))
    if lengths is not None:
        outputs = outputs.masked_fill(~length_mask(lengths, 5).unsqueeze(2), 0)
    rows = [row[:length].numpy() for row, length in zip(outputs, [5] * 4 if lengths is None else lengths.tolist(), strict=True)]
    sizes, changes = np.concatenate(rows), np.concatenate([np.diff(row, axis=0) for row in rows])
    assert size_penalty(outputs, lengths).item() == pytest.approx((sizes**2).mean(), rel=1e-5)
    assert change_penalty(outputs, lengths).item() == pytest.approx((changes**2).mean(), rel=1e-5)
    assert change_penalty(outputs[:, :1], None).item() == 0


def test_penalties_are_of_the_loss_of_the_training_alone() -> None:
    torch.manual_seed(0)
    model = LanguageModel(9, {"cell": "gru", "hidden_size": 4}, 4, size_penalty=2.0, change_penalty=1.0)
    tokens = torch.randint(9, (3, 7))
    batch = Batch(tokens[:, :-1], torch.tensor([6, 2, 4]), tokens[:, 1:])
    hidden, _ = model.network(model.embedding(batch.inputs), batch.lengths)
    expected = 2 * size_penalty(hidden, batch.lengths) + change_penalty(hidden, batch.lengths)
    plain, _ = model.eval().loss_on(batch, "val")
    punished, _ = model.train().loss_on(batch, "train")
    torch.testing.assert_close(punished, plain + expected)
    with pytest.raises(ValueError, match="size_penalty must be"):
        LanguageModel(9, {"cell": "gru", "hidden_size": 4}, 4, size_penalty=-1.0)
