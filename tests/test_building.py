"""How networks are built: where their weights start, what drops out, and what is refused.

Shapes: B rows, T steps, F features in, H hidden units.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnn_lightning.recurrent import CELLS, Bidirectional, Deep, Recurrent, Residual, recurrent

F, H = 3, 16
FORGETTING = {"lstm": "bias_ih", "layernorm_lstm": "bias", "peephole_lstm": "bias"}
"""The cells with a forget gate, its block being the second, and where its bias is."""

every_cell = pytest.mark.parametrize("cell", CELLS)


def parameters_of(network: nn.Module, *words: str) -> dict[str, Tensor]:
    """The parameters that have one of ``words`` in the last part of their names."""
    return {
        name: value.detach()
        for name, value in network.named_parameters()
        if any(word in name.rsplit(".", 1)[-1] for word in words)
    }


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_blocks_start_orthogonal(cell: str, bidirectional: bool) -> None:
    network = recurrent(cell, F, H, 2, bidirectional=bidirectional)
    weights = parameters_of(network, "weight_hh", "recurrent_weight")
    assert len(weights) == (0 if cell == "feedforward" else 4 if bidirectional else 2)
    for weight in weights.values():
        for block in weight.split(H):
            torch.testing.assert_close(block @ block.T, torch.eye(H), rtol=0, atol=1e-5)


@every_cell
def test_input_blocks_start_as_glorot_says_and_biases_at_zero(cell: str) -> None:
    network = recurrent(cell, F, H, forget_bias=None)
    bound = (6 / (F + H)) ** 0.5
    for weight in parameters_of(network, "weight_ih", "input_weight").values():
        for block in weight.split(H):
            assert 0.8 * bound < block.abs().max() <= bound
    assert not any(bias.any() for bias in parameters_of(network, "bias").values())


@every_cell
@pytest.mark.parametrize("init", ["orthogonal", "uniform"])
@pytest.mark.parametrize("forget_bias", [1.0, -2.5])
def test_the_forget_gate_alone_starts_at_its_bias(cell: str, init: str, forget_bias: float) -> None:
    network = recurrent(cell, F, H, 2, init=init, forget_bias=forget_bias)
    held = [
        bias[H : 2 * H]
        for name, bias in parameters_of(network, "bias").items()
        if name.rsplit(".", 1)[-1].startswith(FORGETTING.get(cell, "nothing"))
    ]
    assert len(held) == (2 if cell in FORGETTING else 0)
    assert all(bool((gate == forget_bias).all()) for gate in held)
    biases = torch.cat([bias.flatten() for bias in parameters_of(network, "bias").values()])
    assert int((biases == forget_bias).sum()) == sum(gate.numel() for gate in held)


@pytest.mark.parametrize("forget_bias", [1.0, None])
def test_an_lstm_counts_its_forget_bias_once(forget_bias: float | None) -> None:
    network = recurrent("lstm", F, H, init="uniform", forget_bias=forget_bias)
    ahead, back = parameters_of(network, "bias").values()
    both = ahead[H : 2 * H] + back[H : 2 * H]
    assert bool((both == 1).all()) == (forget_bias is not None)


@every_cell
def test_uniform_is_the_range_of_pytorch_itself(cell: str) -> None:
    network = recurrent(cell, F, H, init="uniform", forget_bias=None)
    drawn = parameters_of(network, "weight") | parameters_of(network, *("bias_ih", "bias_hh"))
    assert drawn
    for value in drawn.values():
        assert 0.8 * H**-0.5 < value.abs().max() <= H**-0.5


@pytest.mark.parametrize(("cell", "peer"), [("elman", nn.RNN), ("gru", nn.GRU), ("lstm", nn.LSTM)])
def test_uniform_fused_networks_are_those_of_pytorch(cell: str, peer: Callable[..., nn.Module]) -> None:
    torch.manual_seed(0)
    network = recurrent(cell, F, H, 2, bidirectional=True, init="uniform", forget_bias=None)
    torch.manual_seed(0)
    twin = peer(F, H, 2, bidirectional=True, batch_first=True)
    inputs = torch.randn(2, 5, F)
    torch.testing.assert_close(network(inputs)[0], twin(inputs)[0], rtol=0, atol=0)


@every_cell
@pytest.mark.parametrize("residual", [False, True])
def test_dropout_works_in_training_only(cell: str, residual: bool) -> None:
    network, inputs = recurrent(cell, F, H, 2, dropout=0.5, residual=residual), torch.randn(4, 6, F)
    assert not network(inputs)[0].equal(network(inputs)[0])
    network.eval()
    assert network(inputs)[0].equal(network(inputs)[0])


@every_cell
def test_dropout_leaves_the_only_layer_alone(cell: str) -> None:
    network, inputs = recurrent(cell, F, H, 1, dropout=0.5), torch.randn(4, 6, F)
    assert network(inputs)[0].equal(network(inputs)[0])


@pytest.mark.parametrize(("locked", "constant"), [(True, True), (False, False)])
def test_locked_dropout_between_layers_drops_the_same_features_at_every_step(locked: bool, constant: bool) -> None:
    class Echo(Recurrent):
        input_size = output_size = H
        bidirectional = False

        def start(self, inputs: Tensor) -> Tensor:
            return inputs.new_zeros(inputs.shape[0], 1)

        def read(self, inputs: Tensor, lengths: Tensor | None, state: Any) -> tuple[Tensor, Any]:
            return inputs, state

    outputs, _ = Deep([Echo(), Echo()], dropout=0.5, locked=locked)(torch.ones(4, 6, H))
    assert bool((outputs == outputs[:, :1]).all()) is constant
    assert set(outputs.unique().tolist()) == {0.0, 2.0}


@every_cell
@pytest.mark.parametrize("residual", [False, True])
def test_a_silent_upper_layer_passes_its_input_on_if_residual(cell: str, residual: bool) -> None:
    network, inputs = recurrent(cell, F, H, 2, residual=residual, dropout=0.5).eval(), torch.randn(4, 6, F)
    lower, upper = network.get_submodule("layers").children()
    for parameter in upper.parameters():
        nn.init.zeros_(parameter)
    outputs, _ = network(inputs)
    torch.testing.assert_close(outputs, lower(inputs)[0] * residual)


SIZE = "must be a whole number of at least 1, not"
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"cell": "lstmm"}, f"cell must be one of {sorted(CELLS)}, not 'lstmm'"),
    ({"cell": ""}, f"cell must be one of {sorted(CELLS)}, not ''"),
    *[({"hidden_size": size}, f"hidden_size {SIZE} {size!r}") for size in (0, -1, True, 2.5, "8", None)],
    *[({"num_layers": size}, f"num_layers {SIZE} {size!r}") for size in (0, False)],
    ({"input_size": 0}, f"input_size {SIZE} 0"),
    ({"init": "he"}, "init must be one of ['orthogonal', 'uniform'], not 'he'"),
    *[({"dropout": value}, f"dropout must lie in [0, 1), not {value}") for value in (1.0, -0.1, float("nan"))],
    *[({"weight_drop": value}, f"weight_drop must lie in [0, 1), not {value}") for value in (1.0, -0.1, float("nan"))],
    ({"dropout": 1.0, "num_layers": 2, "locked": True}, "dropout must lie in [0, 1), not 1.0"),
]


@every_cell
@pytest.mark.parametrize(("wrong", "message"), REFUSED, ids=[str(wrong) for wrong, _ in REFUSED])
def test_a_wrong_argument_is_named_with_what_is_allowed(cell: str, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        recurrent(**{"cell": cell, "input_size": F, "hidden_size": H, **wrong})
    assert str(raised.value) == message


def test_wrappers_refuse_what_does_not_fit() -> None:
    narrow, wide = recurrent("gru", F, H), recurrent("gru", H, H)
    with pytest.raises(ValueError, match="reads 3 and makes 16"):
        Residual(narrow)
    with pytest.raises(ValueError, match="not 3 and 16"):
        Bidirectional(narrow, wide)
    with pytest.raises(ValueError, match="at least one layer"):
        Deep([])


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_state_of_other_rows_is_refused(cell: str, bidirectional: bool) -> None:
    network, inputs = recurrent(cell, F, H, 2, bidirectional=bidirectional), torch.zeros(4, 2, F)
    for rows in (1, 3, 5):
        state = network.start(torch.zeros(rows, 2, F))
        with pytest.raises(ValueError, match=f"the state must have 4 rows, as the inputs have, not shape .{rows}, "):
            network(inputs, state=state)


UNREADABLE: list[tuple[Tensor, Any, str]] = [
    (torch.zeros(2, 4, F + 1), None, "inputs must have shape (B, T, 3), not (2, 4, 4)"),
    (torch.zeros(4, F), None, "inputs must have shape (B, T, 3), not (4, 3)"),
    (torch.zeros(2, 4, F), torch.tensor([4, -1]), "lengths[1] is -1; it must lie in 0..4, the steps of the batch"),
    (torch.zeros(2, 4, F), torch.tensor([5, 4]), "lengths[0] is 5; it must lie in 0..4, the steps of the batch"),
    (torch.zeros(2, 4, F), torch.tensor([4.0, 1.0]), "lengths must be int64 or int32, not torch.float32"),
    (torch.zeros(2, 4, F), torch.tensor([4]), "lengths must have shape (2,), one a row, not (1,)"),
    (torch.zeros(2, 0, F), torch.tensor([1, 0]), "lengths[0] is 1; it must lie in 0..0, the steps of the batch"),
]


@every_cell
@pytest.mark.parametrize(("inputs", "lengths", "message"), UNREADABLE, ids=[message for _, _, message in UNREADABLE])
def test_a_batch_that_does_not_fit_is_refused(cell: str, inputs: Tensor, lengths: Tensor | None, message: str) -> None:
    with pytest.raises(ValueError) as raised:
        recurrent(cell, F, H)(inputs, lengths)
    assert str(raised.value) == message
