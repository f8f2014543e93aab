"""Residual blocks, x + layer(LayerNorm(x)), and highway blocks, t * layer(x) + (1 - t) * x: equations and laws of reading."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rnn_lightning import check_invariance, count_parameters, hidden_size_for
from rnn_lightning.export.folders import write_graph
from rnn_lightning.export.graphs import Whole
from rnn_lightning.export.parity import PARITY
from rnn_lightning.models import FrameClassifier
from rnn_lightning.recurrent import CELLS, Highway, build_network
from rnn_lightning.sequences import leaves

B, T, F, H = 3, 6, 3, 4
LENGTHS = torch.tensor([6, 0, 2])
every_cell = pytest.mark.parametrize("cell", CELLS)
both_ways = pytest.mark.parametrize("bidirectional", [False, True])


@every_cell
@both_ways
def test_a_stack_of_blocks_is_its_equation(cell: str, bidirectional: bool) -> None:
    torch.manual_seed(0)
    network: Any = build_network(cell, F, H, 3, bidirectional=bidirectional, block="residual").double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.5)
    inputs, fresh = torch.randn(B, T, F, dtype=torch.float64), torch.rand(B, T) < 0.3
    first, *blocks = network.layers
    expected, state = first(inputs, LENGTHS, None, fresh)
    states = [state]
    for block in blocks:
        gain, shift = block.inner.norm.weight, block.inner.norm.bias
        centred = expected - expected.mean(2, keepdim=True)
        normal = centred / (centred.square().mean(2, keepdim=True) + 1e-5).sqrt() * gain + shift
        outputs, state = block.inner.inner(normal, LENGTHS, None, fresh)
        expected = expected + outputs
        states.append(state)
    outputs, after = network(inputs, LENGTHS, None, fresh)
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-11)
    for one, other in zip(leaves(after), leaves(tuple(states)), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


@every_cell
@both_ways
def test_a_stack_of_highways_is_its_equation(cell: str, bidirectional: bool) -> None:
    torch.manual_seed(0)
    network: Any = build_network(cell, F, H, 3, bidirectional=bidirectional, block="highway").double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.5)
    inputs, fresh = torch.randn(B, T, F, dtype=torch.float64), torch.rand(B, T) < 0.3
    first, *blocks = network.layers
    expected, _ = first(inputs, LENGTHS, None, fresh)
    real = (torch.arange(T) < LENGTHS.unsqueeze(1)).unsqueeze(2)
    for block in blocks:
        gate = 1 / (1 + (-(expected @ block.transform.weight.T + block.transform.bias)).exp())
        expected = real * (gate * block.inner(expected, LENGTHS, None, fresh)[0] + (1 - gate) * expected)
    torch.testing.assert_close(network(inputs, LENGTHS, None, fresh)[0], expected, rtol=0, atol=1e-11)


def test_a_highway_begins_with_its_input_and_opens_as_its_gate_does() -> None:
    network: Any = build_network("gru", F, H, 2, block="highway")
    inputs, highway = torch.randn(B, T, F), network.layers[1]
    assert highway.transform.bias.tolist() == [-2.0] * H
    below, _ = network.layers[0](inputs)
    for bias, expected in ((-40.0, below), (40.0, highway.inner(below)[0])):
        nn.init.constant_(highway.transform.bias, bias)
        torch.testing.assert_close(network(inputs)[0], expected)
    with pytest.raises(ValueError, match="a highway connection needs equal widths; the network reads 3 and makes 4"):
        Highway(build_network("gru", 3, 4))


@every_cell
@pytest.mark.parametrize(("block", "bidirectional"), [("residual", False), ("residual", True), ("highway", True)])
def test_the_laws_of_reading_hold(cell: str, block: str, bidirectional: bool) -> None:
    gaps = check_invariance(build_network(cell, F, H, 3, bidirectional=bidirectional, block=block, dropout=0.5))
    assert max(gaps.values()) < 1e-12


@pytest.mark.parametrize("block", ["residual", "highway"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "slstm"])
def test_gradients_are_those_of_finite_differences(cell: str, block: str) -> None:
    torch.manual_seed(0)
    network = build_network(cell, 2, 3, 2, block=block).double()
    names, weights = zip(*network.named_parameters(), strict=True)

    def forward(inputs: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(network, dict(zip(names, values, strict=True)), (inputs, LENGTHS))[0]

    inputs = torch.randn(B, T, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(forward, (inputs, *weights), fast_mode=True)


def test_weights_drop_out_and_16_bits_stay_finite() -> None:
    torch.manual_seed(0)
    network = build_network("lstmp", F, H, 3, block="residual", weight_drop=0.5)
    inputs = torch.randn(B, T, F)
    assert not network(inputs)[0].equal(network(inputs)[0])
    with torch.autocast("cpu", torch.bfloat16):
        network(inputs, LENGTHS)[0].float().square().sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in network.parameters())


def test_the_gradient_of_the_input_does_not_vanish_with_depth() -> None:
    """With 40 layers, that of a plain stack does."""
    sizes = []
    for block in ("plain", "residual", "highway"):
        torch.manual_seed(0)
        network, inputs = build_network("gru", F, 16, 40, block=block), torch.randn(B, T, F, requires_grad=True)
        network(inputs)[0][:, -1].square().mean().sqrt().backward()
        assert inputs.grad is not None
        sizes.append(float(inputs.grad.norm()))
    assert sizes[0] < 1e-6 and sizes[1] > 1e-2 and sizes[2] > 1e-4


def test_a_budget_counts_the_norms() -> None:
    blocks, plain = (build_network("gru", F, H, 3, block=block) for block in ("residual", "plain"))
    assert count_parameters(blocks) == count_parameters(plain) + 2 * 2 * H
    assert hidden_size_for("gru", input_size=F, num_layers=3, block="residual", parameters=count_parameters(blocks)) == H
    highways = build_network("gru", F, H, 3, block="highway")
    assert count_parameters(highways) == count_parameters(plain) + 2 * (H * H + H)


@pytest.mark.slow
@pytest.mark.parametrize("block", ["residual", "highway"])
@pytest.mark.parametrize("form", ["torch_export", "onnx"])
def test_it_is_exported(form: str, block: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = FrameClassifier({"cell": "gru", "hidden_size": H, "num_layers": 2, "block": block}, F, ["a", "b"]).eval()
    graph = Whole(model, lambda outputs: outputs, streams=True)
    assert write_graph(form, "model", graph, tmp_path)["largest_difference"] <= PARITY


def test_what_is_no_block_is_refused() -> None:
    with pytest.raises(ValueError, match=r"block must be one of \['plain', 'residual', 'highway'\], not 'dense'"):
        build_network("gru", F, H, block="dense")
    with pytest.raises(ValueError, match="residual must be false with block='residual', which adds each layer's input already"):
        build_network("gru", F, H, 2, residual=True, block="residual")
    with pytest.raises(ValueError, match="residual must be false with block='highway'"):
        build_network("gru", F, H, 2, residual=True, block="highway")
