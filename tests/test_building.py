"""How networks are built: where their weights start, what drops out, and what is refused.

Shapes: B rows, T steps, F features in, H hidden units.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rnn_lightning
from rnn_lightning.recurrent import CELLS, Bidirectional, Deep, Recurrent, Residual, build_network, recurrent_weights
from rnn_lightning.sequences import leaves, map_state

F, H = 3, 16
FORGETTING = [cell for cell, architecture in CELLS.items() if "forget" in architecture.gates]
INITIALISATIONS = ["orthogonal", "uniform", {"uniform": 0.1}]

every_cell = pytest.mark.parametrize("cell", CELLS)
every_init = pytest.mark.parametrize("init", INITIALISATIONS, ids=str)


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
    network = build_network(cell, F, H, 2, bidirectional=bidirectional)
    weights = parameters_of(network, "weight_hh", "recurrent_weight")
    assert list(weights) == [name for name, _ in recurrent_weights(network)]
    assert len(weights) in (0, 4 if bidirectional else 2)
    for weight in weights.values():
        for block in weight.split(H):
            torch.testing.assert_close(block @ block.T, torch.eye(H), rtol=0, atol=1e-5)


@every_cell
def test_input_blocks_start_as_glorot_says_and_biases_at_zero(cell: str) -> None:
    network = build_network(cell, F, H, forget_bias=None)
    bound = (6 / (F + H)) ** 0.5
    for weight in parameters_of(network, "weight_ih", "input_weight").values():
        for block in weight.split(H):
            assert 0.8 * bound < block.abs().max() <= bound
    assert not any(bias.any() for bias in parameters_of(network, "bias").values())


@every_cell
@every_init
@pytest.mark.parametrize("forget_bias", [1.0, -2.5])
def test_the_forget_gate_alone_starts_at_its_bias(cell: str, init: Any, forget_bias: float) -> None:
    network = build_network(cell, F, H, 2, init=init, forget_bias=forget_bias)
    biases = torch.cat([bias.flatten() for bias in parameters_of(network, "bias").values()])
    assert int((biases == forget_bias).sum()) == (2 * H if cell in FORGETTING else 0)


@pytest.mark.parametrize("cell", FORGETTING)
@pytest.mark.parametrize(("forget_bias", "kept"), [(100.0, 1.0), (-100.0, 0.0)])
def test_the_bias_that_is_set_is_that_of_the_gate_that_forgets(cell: str, forget_bias: float, kept: float) -> None:
    network, inputs = build_network(cell, F, H, forget_bias=forget_bias).double(), torch.zeros(1, 3, F, dtype=torch.float64)
    for weight in parameters_of(network, "weight").values():
        nn.init.zeros_(weight)
    before = map_state(torch.randn_like, network.start(inputs))
    _, after = network(inputs, None, before)
    torch.testing.assert_close(leaves(after)[1], kept * leaves(before)[1])  # the second one is the memory cell


@every_init
@pytest.mark.parametrize("forget_bias", [1.0, None])
def test_an_lstm_counts_its_forget_bias_once(init: Any, forget_bias: float | None) -> None:
    network = build_network("lstm", F, H, init=init, forget_bias=forget_bias)
    ahead, back = parameters_of(network, "bias").values()
    both = ahead[H : 2 * H] + back[H : 2 * H]
    assert bool((both == 1).all()) == (forget_bias is not None)


@every_cell
@pytest.mark.parametrize(("init", "bound"), [("uniform", H**-0.5), ({"uniform": 0.1}, 0.1), ({"uniform": 3}, 3.0)], ids=str)
def test_uniform_weights_and_biases_fill_their_range(cell: str, init: Any, bound: float) -> None:
    network = build_network(cell, F, H, init=init, forget_bias=None)
    drawn = {
        name: value
        for name, value in network.named_parameters()
        if name.rsplit(".", 1)[-1].startswith(("weight", "input_weight", "recurrent_weight", "bias"))
    }
    assert drawn
    for value in drawn.values():
        assert 0.8 * bound < value.abs().max() <= bound
        assert -0.3 * bound < value.mean() < 0.3 * bound


@every_cell
def test_what_a_cell_learns_besides_starts_the_same_whatever_the_range(cell: str) -> None:
    networks = [build_network(cell, F, H, init=init) for init in INITIALISATIONS]
    other = parameters_of(networks[0], "gain", "peephole", "cell_bias")
    for network in networks[1:]:
        torch.testing.assert_close(parameters_of(network, "gain", "peephole", "cell_bias"), other, rtol=0, atol=0)
    assert all(bool((value == value.flatten()[0]).all()) for value in other.values())


@pytest.mark.parametrize(("cell", "peer"), [("elman", nn.RNN), ("gru", nn.GRU), ("lstm", nn.LSTM)])
def test_uniform_fused_networks_are_those_of_pytorch(cell: str, peer: Callable[..., nn.Module]) -> None:
    torch.manual_seed(0)
    network = build_network(cell, F, H, 2, bidirectional=True, init="uniform", forget_bias=None)
    torch.manual_seed(0)
    twin = peer(F, H, 2, bidirectional=True, batch_first=True)
    inputs = torch.randn(2, 5, F)
    torch.testing.assert_close(network(inputs)[0], twin(inputs)[0], rtol=0, atol=0)


@every_cell
@pytest.mark.parametrize("residual", [False, True])
def test_dropout_works_in_training_only(cell: str, residual: bool) -> None:
    network, inputs = build_network(cell, F, H, 2, dropout=0.5, residual=residual), torch.randn(4, 6, F)
    assert not network(inputs)[0].equal(network(inputs)[0])
    network.eval()
    assert network(inputs)[0].equal(network(inputs)[0])


@every_cell
def test_dropout_leaves_the_only_layer_alone(cell: str) -> None:
    network, inputs = build_network(cell, F, H, 1, dropout=0.5), torch.randn(4, 6, F)
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
    network, inputs = build_network(cell, F, H, 2, residual=residual, dropout=0.5).eval(), torch.randn(4, 6, F)
    lower, upper = network.get_submodule("layers").children()
    for parameter in upper.parameters():
        nn.init.zeros_(parameter)
    outputs, _ = network(inputs)
    torch.testing.assert_close(outputs, lower(inputs)[0] * residual)


INIT = "init must be 'orthogonal', 'uniform' or {'uniform': r} with a number r above 0"
SIZE = "must be a whole number of at least 1, not"
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"cell": "lstmm"}, f"cell must be one of {sorted(CELLS)}, not 'lstmm'"),
    ({"cell": ""}, f"cell must be one of {sorted(CELLS)}, not ''"),
    *[({"hidden_size": size}, f"hidden_size {SIZE} {size!r}") for size in (0, -1, True, 2.5, "8", None)],
    *[({"num_layers": size}, f"num_layers {SIZE} {size!r}") for size in (0, False)],
    ({"input_size": 0}, f"input_size {SIZE} 0"),
    *[({"init": init}, f"{INIT}, not {init!r}") for init in ("he", None, 0.1, ["uniform"], {}, {"normal": 0.1})],
    *[
        ({"init": {"uniform": r}}, f"{INIT}, not {{'uniform': {r!r}}}")
        for r in (0, -0.1, "0.1", True, float("nan"), float("inf"))
    ],
    ({"init": {"uniform": 0.1, "normal": 1}}, f"{INIT}, not {{'uniform': 0.1, 'normal': 1}}"),
    *[({"dropout": value}, f"dropout must lie in [0, 1), not {value}") for value in (1.0, -0.1, float("nan"))],
    *[({"weight_drop": value}, f"weight_drop must lie in [0, 1), not {value}") for value in (1.0, -0.1, float("nan"))],
    ({"dropout": 1.0, "num_layers": 2, "locked": True}, "dropout must lie in [0, 1), not 1.0"),
]


@every_cell
@pytest.mark.parametrize(("wrong", "message"), REFUSED, ids=[str(wrong) for wrong, _ in REFUSED])
def test_a_wrong_argument_is_named_with_what_is_allowed(cell: str, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        build_network(**{"cell": cell, "input_size": F, "hidden_size": H, **wrong})
    assert str(raised.value) == message


def test_wrappers_refuse_what_does_not_fit() -> None:
    narrow, wide = build_network("gru", F, H), build_network("gru", H, H)
    with pytest.raises(ValueError, match="reads 3 and makes 16"):
        Residual(narrow)
    with pytest.raises(ValueError, match="not 3 and 16"):
        Bidirectional(narrow, wide)
    with pytest.raises(ValueError, match="at least one layer"):
        Deep([])


@every_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_state_of_other_rows_is_refused(cell: str, bidirectional: bool) -> None:
    network, inputs = build_network(cell, F, H, 2, bidirectional=bidirectional), torch.zeros(4, 2, F)
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
        build_network(cell, F, H)(inputs, lengths)
    assert str(raised.value) == message


def test_parameters_of_older_checkpoints_are_read_under_their_former_names() -> None:
    networks = [build_network("peephole_lstm", F, H, 2, bidirectional=True) for _ in range(2)]
    for network in networks:
        for parameter in network.parameters():
            nn.init.normal_(parameter)
    new = networks[0].state_dict()
    former = {name.replace("input_peep", "entrance_peep").replace("output_peep", "exit_peep"): new[name] for name in new}
    assert len(set(former) - set(new)) == 8
    twin = copy.deepcopy(networks[1])
    for other in (networks[1], twin):
        other.load_state_dict(former)
        torch.testing.assert_close(other.state_dict(), new, rtol=0, atol=0)
    assert "layers.0.forwards.cell.entrance_peephole" in former, "a state dict is not changed by being read"
    with pytest.raises(RuntimeError, match="entrance_peephole"):
        build_network("layernorm_lstm", F, H, 2, bidirectional=True).load_state_dict(former)


def test_the_former_name_of_the_builder_is_the_builder() -> None:
    assert rnn_lightning.recurrent.recurrent is rnn_lightning.build_network is build_network
