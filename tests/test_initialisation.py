"""Where weights start: ranges, orthogonal blocks, the forget gate's bias.

Shapes: F features in, H hidden units.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor, nn

from pipelines.settings.compose import compose
from pipelines.training.building import build_system
from rnn_lightning import LanguageModel
from rnn_lightning.recurrent import CELLS, build_network, recurrent_weights
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
        if weight.dim() == 1:  # a diagonal one
            assert weight.min() >= 0 and weight.max() <= 1 and weight.unique().numel() == len(weight)
            continue
        for block in weight.split(H):
            torch.testing.assert_close(block @ block.T, torch.eye(H), rtol=0, atol=1e-5)


@every_cell
def test_input_blocks_start_as_glorot_says_and_biases_at_zero(cell: str) -> None:
    network = build_network(cell, F, H, forget_bias=None)
    bound = (6 / (getattr(CELLS[cell], "window", 1) * F + H)) ** 0.5
    for weight in parameters_of(network, "weight_ih", "input_weight").values():
        for block in weight.split(H)[: len(weight) // H]:  # without those of gates that are one a head
            assert 0.8 * bound < block.abs().max() <= bound
    assert not any(bias.any() for bias in parameters_of(network, "bias").values())


@every_cell
@every_init
@pytest.mark.parametrize("forget_bias", [1.0, -2.5])
def test_the_forget_gate_alone_starts_at_its_bias(cell: str, init: Any, forget_bias: float) -> None:
    network = build_network(cell, F, H, 2, init=init, forget_bias=forget_bias)
    biases = torch.cat([bias.flatten() for bias in parameters_of(network, "bias").values()])
    assert int((biases == forget_bias).sum()) == (2 * (1 if cell == "mlstm" else H) if cell in FORGETTING else 0)


@pytest.mark.parametrize("cell", sorted(set(FORGETTING) - {"minlstm", "slstm", "mlstm"}))  # where shares and scales count
@pytest.mark.parametrize(("forget_bias", "kept"), [(100.0, 1.0), (-100.0, 0.0)])
def test_the_bias_that_is_set_is_that_of_the_gate_that_forgets(cell: str, forget_bias: float, kept: float) -> None:
    network, inputs = build_network(cell, F, H, forget_bias=forget_bias).double(), torch.zeros(1, 3, F, dtype=torch.float64)
    for weight in parameters_of(network, "weight").values():
        nn.init.zeros_(weight)
    before = map_state(torch.randn_like, network.start(inputs))
    _, after = network(inputs, None, before)
    torch.testing.assert_close(leaves(after)[-1], kept * leaves(before)[-1])  # the last one is the memory cell


@pytest.mark.parametrize("cell", FORGETTING)
def test_chrono_forget_gates_keep_for_two_to_so_many_steps(cell: str) -> None:
    """The bias alone makes a forget gate f with 1 / (1 - f) = 1 + u, u from U(1, T - 1), and lets in 1 - f where it can."""
    torch.manual_seed(0)
    network, gates = build_network(cell, F, 200, 2, forget_bias={"chrono": 50}), CELLS[cell].gates
    steps: list[Tensor] = []
    for layer in ("layers.0", "layers.1") if cell != "lstm" else ("_l0", "_l1"):
        whole = sum(bias for name, bias in parameters_of(network, "bias").items() if layer in name and "cell_bias" not in name)
        assert isinstance(whole, Tensor)
        sizes = [200] * 4 + [1, 1] if cell == "mlstm" else [200] * len(gates)
        blocks = dict(zip(gates, whole.split(sizes), strict=True))
        forget = blocks.pop("forget").sigmoid()
        if "input" in blocks:
            torch.testing.assert_close(blocks.pop("input").sigmoid(), 1 - forget)
        assert not any(block.any() for block in blocks.values())
        steps.append(1 / (1 - forget))
    drawn = torch.cat(steps)
    assert drawn.min() >= 2 and drawn.max() <= 50 + 1e-3
    assert len(drawn) == 2 or (abs(float(drawn.mean()) - 26) < 2 and drawn.unique().numel() > 300)


CHRONO = {
    "gru": ({"chrono": 400}, "is for cells with a forget gate, and this one has reset, update, candidate"),
    "lstm": ({"chrono": 2}, "a whole number T of at least 3, the most steps to remember, not {'chrono': 2}"),
    "janet": ({"steps": 9}, "must be a number, None or {'chrono': T}"),
    "mgu": ({"chrono": 9.5}, "whole number T"),
}


@pytest.mark.parametrize("cell", CHRONO)
def test_a_start_of_forget_gates_that_there_is_not_is_refused(cell: str) -> None:
    bias, said = CHRONO[cell]
    with pytest.raises(ValueError, match=re.escape(said)):
        build_network(cell, F, H, forget_bias=bias)  # pyright: ignore[reportArgumentType]


@every_init
@pytest.mark.parametrize("forget_bias", [1.0, None])
def test_an_lstm_counts_its_forget_bias_once(init: Any, forget_bias: float | None) -> None:
    network = build_network("lstm", F, H, init=init, forget_bias=forget_bias)
    ahead, back = parameters_of(network, "bias").values()
    both = ahead[H : 2 * H] + back[H : 2 * H]
    assert bool((both == 1).all()) == (forget_bias is not None)


@every_cell
@pytest.mark.parametrize(("init", "bound"), [("uniform", 0.125), ({"uniform": 0.1}, 0.1), ({"uniform": 3}, 3.0)], ids=str)
def test_uniform_weights_and_biases_fill_their_range(cell: str, init: Any, bound: float) -> None:
    network = build_network(cell, F, 64, init=init, forget_bias=None)  # 0.125 is 1 / sqrt(64)
    names = ("weight", "input_weight", "recurrent_weight", "bias")
    drawn = [value for name, value in network.named_parameters() if name.rsplit(".", 1)[-1].startswith(names)]
    assert drawn
    for value in drawn:
        far = bound * (
            2 * 1e-9 ** (1 / value.numel()) - 1
        )  # all of n draws are below x with probability ((1 + x / bound) / 2)^n
        assert far < value.max() <= bound
        assert -bound <= value.min() < -far


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
    for one, two in zip(network.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)
    torch.testing.assert_close(network(inputs)[0], twin(inputs)[0])


@pytest.mark.parametrize("override", ["+task.rnn.init={uniform:0.25}", "+rnn.init.uniform=0.25"])
def test_the_range_of_the_weights_is_a_setting_of_a_run(override: str) -> None:
    experiment = compose(["task=adding", "rnn=lstm", "+rnn.forget_bias=null", override])
    system = build_system(experiment, {}, planned=1)
    drawn = torch.cat([parameter.flatten() for parameter in system.get_submodule("network").parameters()])
    assert 0.24 < drawn.abs().max() <= 0.25
    with pytest.raises(ValueError, match=r"init must be .*, not \{'uniform': -1\}"):
        build_system(compose(["task=adding", "+task.rnn.init={uniform:-1}"]), {}, planned=1)


def test_a_checkpoint_keeps_the_range(tmp_path: Path) -> None:
    rnn = {"cell": "gru", "hidden_size": H, "init": {"uniform": 0.1}}
    model = LanguageModel(7, rnn)
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = LanguageModel.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True)
    assert again.hparams["rnn"] == rnn
    torch.testing.assert_close(again.state_dict(), model.state_dict(), rtol=0, atol=0)
