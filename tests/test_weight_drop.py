"""Weights that drop out between one state and the next, over every network that can be built. In double precision.

Shapes: B rows, T steps, F features in, H hidden units.
"""

import copy
from typing import Any

import pytest
import torch
from often import mixed
from torch import Tensor, nn

from rnn_lightning import LanguageModel
from rnn_lightning.recurrent import CELLS, Recurrent, WeightDrop, build_network
from rnn_lightning.sequences import leaves

B, T, F, H = 4, 6, 3, 5
LENGTHS = torch.tensor([6, 1, 0, 4])
PROBABILITY = 0.4
FORMS = mixed([*CELLS], (1, 2), (False, True), (False, True))
every_form = pytest.mark.parametrize(("cell", "num_layers", "bidirectional", "residual"), FORMS)


def pair(cell: str, num_layers: int = 1, bidirectional: bool = False, residual: bool = False) -> tuple[WeightDrop, Recurrent]:
    """A network whose weights drop out, and a whole one with the same weights, none of which is zero."""
    form: dict[str, Any] = {"num_layers": num_layers, "bidirectional": bidirectional, "residual": residual}
    dropping = build_network(cell, F, H, weight_drop=PROBABILITY, **form).double()
    assert isinstance(dropping, WeightDrop)
    for parameter in dropping.parameters():
        nn.init.normal_(parameter, std=0.5)
    whole = build_network(cell, F, H, **form).double()
    whole.load_state_dict(dropping.inner.state_dict())
    return dropping, whole


def has_memory(cell: str) -> bool:
    """Whether a network of the cell reads its state at all."""
    torch.manual_seed(0)
    network = build_network(cell, F, H)
    inputs = torch.randn(B, 2, F)
    return not torch.allclose(network(inputs)[0][:, 1], network(inputs[:, 1:])[0][:, 0], rtol=1e-5)


def has_weights_to_drop(cell: str) -> bool:
    """Whether weights lie between one state and the next: none do where the inputs alone say what is kept."""
    return has_memory(cell) and (getattr(CELLS[cell], "diagonal", False) or not getattr(CELLS[cell], "scans", False))


def inputs_of() -> Tensor:
    return torch.randn(B, T, F, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def gradients(network: Recurrent) -> tuple[Any, dict[str, Tensor]]:
    """Outputs and state of a batch, and the gradients of a scalar made of both."""
    outputs, state = network(inputs_of(), LENGTHS)
    (outputs.square().sum() + sum(leaf.sin().sum() for leaf in leaves(state))).backward()
    return (outputs, state), {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}


@every_form
def test_a_call_reads_with_weights_some_of_which_are_zero_and_the_rest_larger(
    cell: str, num_layers: int, bidirectional: bool, residual: bool
) -> None:
    dropping, whole = pair(cell, num_layers, bidirectional, residual)
    torch.manual_seed(5)
    read, learned = gradients(dropping)
    # The same draws, put into the whole network by hand: what multiplies a state is named here once more, layer by layer.
    torch.manual_seed(5)
    masks: dict[str, Tensor] = {}
    for name, weight in whole.named_parameters():
        if name.split(".")[-1].split("_l")[0] in ("weight_hh", "recurrent_weight"):
            masks[name] = nn.functional.dropout(torch.ones_like(weight), PROBABILITY)
            weight.data *= masks[name]
    assert len(masks) in (0, num_layers * (2 if bidirectional else 1))
    assert bool(masks) == has_weights_to_drop(cell)
    expected, taught = gradients(whole)
    torch.testing.assert_close(read, expected, rtol=0, atol=1e-12)
    for name, gradient in taught.items():
        torch.testing.assert_close(learned[f"inner.{name}"], gradient * masks.get(name, 1.0), rtol=0, atol=1e-12)


@every_form
def test_evaluation_reads_with_all_weights(cell: str, num_layers: int, bidirectional: bool, residual: bool) -> None:
    dropping, whole = pair(cell, num_layers, bidirectional, residual)
    torch.testing.assert_close(dropping.eval()(inputs_of(), LENGTHS), whole(inputs_of(), LENGTHS), rtol=0, atol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_training_leaves_the_weights_whole_and_copies_drop_as_the_original_does(cell: str) -> None:
    dropping, whole = pair(cell)
    torch.manual_seed(5)
    expected = dropping(inputs_of(), LENGTHS)
    twin = copy.deepcopy(dropping)
    torch.manual_seed(5)
    torch.testing.assert_close(twin(inputs_of(), LENGTHS), expected, rtol=0, atol=0)
    torch.testing.assert_close(dropping.inner.state_dict(), whole.state_dict(), rtol=0, atol=0)
    assert all(parameter.is_leaf for parameter in dropping.parameters())


@pytest.mark.parametrize("cell", [cell for cell in CELLS if has_weights_to_drop(cell)])
def test_one_mask_holds_for_all_rows_and_steps_and_another_call_draws_another(cell: str) -> None:
    dropping, _ = pair(cell)
    alike = inputs_of()[:1].expand(B, T, F)
    torch.manual_seed(5)
    outputs, state = dropping(alike)
    torch.testing.assert_close(outputs, outputs[:1].expand_as(outputs), rtol=0, atol=1e-12)
    torch.manual_seed(5)
    first, between = dropping(alike[:, :2])
    torch.manual_seed(5)
    second, after = dropping(alike[:, 2:], state=between)
    torch.testing.assert_close((torch.cat([first, second], 1), after), (outputs, state), rtol=0, atol=1e-12)
    assert not dropping(alike)[0].equal(outputs)


@pytest.mark.parametrize("cell", CELLS)
def test_calls_that_one_backward_pass_ends_do_not_move_the_weights(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dropping, _ = pair(cell)
    moved: list[nn.Module] = []
    monkeypatch.setattr(nn.RNNBase, "flatten_parameters", moved.append)
    versions = [parameter._version for parameter in dropping.parameters()]
    state, total = None, torch.tensor(0.0)
    for step in inputs_of().split(1, 1):
        outputs, state = dropping(step, state=state)
        total = total + outputs.sum()
    total.backward()
    assert [parameter._version for parameter in dropping.parameters()] == versions
    assert not moved
    assert "flatten_parameters" not in {name for part in dropping.modules() for name in vars(part)}


def test_nothing_is_wrapped_where_nothing_drops() -> None:
    assert not isinstance(build_network("lstm", F, H, weight_drop=0.0), WeightDrop)


def test_a_language_model_learns_from_state_to_state_with_weights_that_drop_out() -> None:
    rnn = {"cell": "lstm", "hidden_size": H, "num_layers": 2, "weight_drop": 0.5}
    model = LanguageModel(vocab_size=7, rnn=rnn, embedding_size=F)
    logits, _ = model(torch.randint(7, (B, T)))
    logits.logsumexp(-1).sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.network.parameters())
