"""How networks are built: their layers, what drops out, former names, and what is refused.

Shapes: B rows, T steps, F features in, H hidden units.
"""

import copy
from itertools import cycle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rnn_lightning
from rnn_lightning.recurrent import CELLS, Bidirectional, Deep, Recurrent, Residual, build_network
from rnn_lightning.sequences import leaves, map_state

F, H = 3, 16
every_cell = pytest.mark.parametrize("cell", CELLS)


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


@pytest.mark.parametrize("cell", sorted(set(CELLS) - {"mingru", "minlstm"}))  # whose outputs are always above 0
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
    ({"cell": "lstmm"}, f"cell must be one of {[*sorted(CELLS), 'my_package.MyCell']}, not 'lstmm'"),
    ({"cell": ""}, f"cell must be one of {[*sorted(CELLS), 'my_package.MyCell']}, not ''"),
    *[({"hidden_size": size}, f"hidden_size {SIZE} {size!r}") for size in (0, -1, True, 2.5, "8", None)],
    *[({"num_layers": size}, f"num_layers must be a whole number of 1 to 1000, not {size!r}") for size in (0, False, 1001)],
    ({"input_size": 0}, f"input_size {SIZE} 0"),
    *[({"init": init}, f"{INIT}, not {init!r}") for init in ("he", None, 0.1, ["uniform"], {}, {"normal": 0.1})],
    *[
        ({"init": {"uniform": r}}, f"{INIT}, not {{'uniform': {r!r}}}")
        for r in (0, -0.1, "0.1", True, float("nan"), float("inf"))
    ],
    ({"init": {"uniform": 0.1, "normal": 1}}, f"{INIT}, not {{'uniform': 0.1, 'normal': 1}}"),
    *[({"dropout": value}, f"dropout must be a number in [0, 1), not {value}") for value in (1.0, -0.1, float("nan"))],
    *[({"weight_drop": value}, f"weight_drop must be a number in [0, 1), not {value}") for value in (1.0, -0.1, float("nan"))],
    ({"dropout": 1.0, "num_layers": 2, "locked": True}, "dropout must be a number in [0, 1), not 1.0"),
]


@pytest.mark.parametrize(
    ("cell", "wrong", "message"), [(cell, *refused) for cell, refused in zip(cycle(CELLS), REFUSED, strict=False)], ids=str
)
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
    (torch.zeros(2, 4, F + 1), None, "inputs must be floats of shape (B, T, 3), not torch.float32 of shape (2, 4, 4)"),
    (torch.zeros(4, F), None, "inputs must be floats of shape (B, T, 3), not torch.float32 of shape (4, 3)"),
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


@pytest.mark.parametrize("part", [0, -1])
@pytest.mark.parametrize("width", [1, 3, 1024])
@pytest.mark.parametrize("cell", sorted(set(CELLS) - {"feedforward"}))
def test_a_state_of_another_width_is_refused_before_anything_reads_it(cell: str, width: int, part: int) -> None:
    network, inputs = build_network(cell, 256, 256), torch.zeros(16, 5, 256)
    start = network.start(inputs)
    chosen = leaves(start)[part]
    width += chosen.shape[-1] == width

    def resized(tensor: Tensor) -> Tensor:
        return tensor.new_zeros(*tensor.shape[:-1], width) if tensor is chosen else tensor

    state, own = map_state(resized, start), chosen.shape[-1]
    with pytest.raises(
        ValueError, match=rf"the state must be of this network's sizes, .*{own}.* behind the rows, not .*{width}"
    ):
        network(inputs, None, state)
