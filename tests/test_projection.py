"""The LSTM with a projection: that of PyTorch, with more memory cells than outputs.

Shapes: B rows, T steps, F features in, H outputs, M memory cells.
"""

from typing import Any

import numpy as np
import pytest
import torch
from oracles import sigmoid
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnn_lightning import Batch, SequenceRegressor, check_invariance, count_parameters, hidden_size_for
from rnn_lightning.microscope import examine
from rnn_lightning.recurrent import build_network
from rnn_lightning.sequences import leaves

B, T, F, H = 4, 9, 3, 4
LENGTHS = torch.tensor([9, 1, 4, 6])


def pair(expansion: int, layers: int, bidirectional: bool) -> tuple[Any, nn.LSTM]:
    """A network, and PyTorch's of the same weights; its second bias is zero."""
    torch.manual_seed(0)
    network: Any = build_network("lstmp", F, H, layers, bidirectional=bidirectional, expansion=expansion).double()
    peer = nn.LSTM(F, expansion * H, layers, proj_size=H, batch_first=True, bidirectional=bidirectional).double()
    for number, layer in enumerate(network.layers):
        ways = [(layer.forwards, ""), (layer.backwards, "_reverse")] if bidirectional else [(layer, "")]
        for way, suffix in ways:
            names = {
                "weight_ih": "input_weight",
                "weight_hh": "recurrent_weight",
                "weight_hr": "projection_weight",
                "bias_ih": "bias",
            }
            for theirs, ours in names.items():
                peer.get_parameter(f"{theirs}_l{number}{suffix}").data = nn.init.normal_(
                    getattr(way.cell, ours), std=0.5
                ).data.clone()
            nn.init.zeros_(peer.get_parameter(f"bias_hh_l{number}{suffix}"))
    return network, peer


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("expansion", "layers"), [(2, 1), (3, 2)])
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_it_is_the_lstm_of_pytorch_with_its_gradients(expansion: int, layers: int, bidirectional: bool) -> None:
    network, peer = pair(expansion, layers, bidirectional)
    inputs = torch.randn(B, T, F, dtype=torch.float64, requires_grad=True)
    outputs, state = network(inputs, LENGTHS)
    packed, last = peer(pack_padded_sequence(inputs, LENGTHS, batch_first=True, enforce_sorted=False))
    expected, _ = pad_packed_sequence(packed, batch_first=True, total_length=T)
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-12)
    for kind in range(2):  # outputs, memory cells; ours are by layer and direction, theirs one tensor
        torch.testing.assert_close(torch.stack(leaves(state)[kind::2]), last[kind], rtol=0, atol=1e-12)
    (found,), (wanted,) = (torch.autograd.grad(each.sin().sum(), [inputs], retain_graph=True) for each in (outputs, expected))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    weights = [torch.autograd.grad(each.sin().sum(), [*of.parameters()]) for each, of in ((outputs, network), (expected, peer))]
    sums = [sorted(float(part.square().sum()) for part in parts) for parts in weights]
    assert set(np.round(sums[0], 9)) <= set(np.round(sums[1], 9))  # PyTorch's bias comes twice


@pytest.mark.parametrize("form", [{}, {"num_layers": 2, "bidirectional": True}, {"num_layers": 3, "residual": True}], ids=str)
def test_the_laws_hold_with_more_memory_cells_than_outputs(form: dict[str, Any]) -> None:
    assert max(check_invariance(build_network("lstmp", F, H, expansion=3, **form)).values()) < 1e-12


def test_gradients_are_those_of_finite_differences() -> None:
    network, _ = pair(2, 1, False)
    names, weights = zip(*network.named_parameters(), strict=True)

    def forward(inputs: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        outputs, state = torch.func.functional_call(network, dict(zip(names, values, strict=True)), (inputs, LENGTHS[:2]))
        return outputs, *leaves(state)

    inputs = torch.randn(2, T, F, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(forward, (inputs, *weights), fast_mode=True)


def test_weights_are_as_many_as_they_should_be_and_a_budget_finds_their_size() -> None:
    network = build_network("lstmp", F, H, expansion=5)
    assert count_parameters(network) == 5 * H * (4 * F + 4 * H + 4 + H)
    assert hidden_size_for("lstmp", input_size=F, parameters=count_parameters(network), expansion=5) == H
    with pytest.raises(ValueError, match="expansion must be 1 for the cell 'lstm', not 2: it is for lstmp"):
        build_network("lstm", F, H, expansion=2)
    with pytest.raises(ValueError, match="expansion must be"):
        build_network("lstmp", F, H, expansion=0)


def test_recurrent_blocks_and_the_forget_bias_start_as_those_of_other_cells() -> None:
    network: Any = build_network("lstmp", F, H, expansion=2, forget_bias=3.0)
    cell = network.layers[0].cell
    for block in cell.recurrent_weight.split(2 * H):
        torch.testing.assert_close(block.T @ block, torch.eye(H), rtol=0, atol=1e-5)
    assert cell.bias.tolist() == [0] * 2 * H + [3] * 2 * H + [0] * 4 * H


def test_weights_drop_out_of_the_recurrent_product_alone() -> None:
    network: Any = build_network("lstmp", F, H, expansion=2, weight_drop=0.5)
    inputs = torch.randn(B, T, F)
    assert not network(inputs)[0].equal(network(inputs)[0])
    network.inner.layers[0].cell.recurrent_weight.data.zero_()
    torch.testing.assert_close(network(inputs), network.eval()(inputs))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_network_may_be_of_16_bits_or_compute_in_them(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    network, inputs = build_network("lstmp", F, H, 2, expansion=2), torch.randn(B, T, F)
    exact, _ = network(inputs)
    with torch.autocast("cpu", dtype):
        outputs, _ = network(inputs)
    assert (outputs.float() - exact).abs().max() < 0.05 * exact.abs().max()
    outputs.float().square().sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in network.parameters())
    assert network.to(dtype)(inputs.to(dtype))[0].dtype == dtype


def test_the_microscope_counts_all_memory_cells_of_each_gate() -> None:
    torch.manual_seed(0)
    system = SequenceRegressor({"cell": "lstmp", "hidden_size": 2, "expansion": 3}, F).double()
    inputs = 4 * torch.randn(1, 1, F, dtype=torch.float64)
    found = examine(system, [Batch(inputs, None, torch.zeros(1, 1, dtype=torch.float64))]).gates
    cell: Any = system.network.get_submodule("layers.0.cell")
    sums = (cell.input_weight @ inputs[0, 0] + cell.bias).detach().numpy()
    values = dict(zip(("input", "forget", "candidate", "output"), sigmoid(sums).reshape(4, 6), strict=True))
    assert set(found) == {"input", "forget", "output"}
    for name, (low, high) in found.items():
        assert (low, high) == (pytest.approx((values[name] < 0.1).mean()), pytest.approx((values[name] > 0.9).mean()))
