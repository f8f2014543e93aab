"""The convolution and the MLP of residual blocks: their equations, and the laws of reading, of a budget and of an export."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from often import those
from torch import Tensor, nn

from rnn_lightning import SequenceRegressor, check_invariance, count_parameters, flops_per_step, hidden_size_for, prepared
from rnn_lightning.budget import cost_of
from rnn_lightning.export.folders import write_graph
from rnn_lightning.export.graphs import Whole
from rnn_lightning.export.parity import PARITY
from rnn_lightning.microscope import examine
from rnn_lightning.models import FrameClassifier
from rnn_lightning.recurrent import CELLS, Convolution, build_network
from rnn_lightning.sequences import Batch, leaves

B, T, F, H, K, E = 3, 6, 3, 4, 4, 2
LENGTHS = torch.tensor([6, 0, 2])
BOTH: dict[str, Any] = {"block": "residual", "convolution": K, "mlp": E}
FORMS = [BOTH, BOTH | {"mlp": 0}, BOTH | {"convolution": 0}, BOTH | {"convolution": 1}]
every_form = pytest.mark.parametrize("form", FORMS, ids=str)
every_cell = pytest.mark.parametrize("cell", those([*CELLS], lambda cell: cell in ("lstm", "mingru", "qrnn")))
both_ways = pytest.mark.parametrize("bidirectional", [False, True])


def network_of(cell: str, form: dict[str, Any], num_layers: int = 3, **more: Any) -> Any:
    """A network in double precision, no weight of which is zero."""
    torch.manual_seed(0)
    network = build_network(cell, F, H, num_layers, **form, **more).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.5)
    return network


def normalised(values: Tensor, norm: nn.LayerNorm) -> Tensor:
    centred = values - values.mean(2, keepdim=True)
    return centred / (centred.square().mean(2, keepdim=True) + 1e-5).sqrt() * norm.weight + norm.bias


def convolved(values: Tensor, layer: Convolution, fresh: Tensor) -> Tensor:
    """The sum of the equation, term by term, that no term of an earlier piece enters."""
    outputs = layer.bias.expand_as(values).clone()
    for row in range(B):
        begins = 0
        for step in range(T):
            begins = step if fresh[row, step] else begins
            for back in range(min(K, step - begins + 1)):
                outputs[row, step] += layer.weight[K - 1 - back] * values[row, step - back]
    return outputs


@every_cell
@both_ways
def test_a_stack_of_blocks_is_its_equation(cell: str, bidirectional: bool) -> None:
    network, real = network_of(cell, BOTH, bidirectional=bidirectional), (torch.arange(T) < LENGTHS.unsqueeze(1)).unsqueeze(2)
    inputs, fresh = torch.randn(B, T, F, dtype=torch.float64), torch.rand(B, T) < 0.3
    expected = inputs * real
    for depth, layer in enumerate(network.layers):
        convolution, recurrence = layer.inner.layers
        expected = expected + convolved(normalised(expected, convolution.inner.norm), convolution.inner.inner, fresh)
        if depth == 0:
            expected = recurrence(expected, LENGTHS, None, fresh)[0]
        else:
            block = recurrence.inner
            expected = expected + block.inner(normalised(expected, block.norm), LENGTHS, None, fresh)[0]
        up, _, down = layer.mlp
        hidden = normalised(expected, layer.norm) @ up.weight.T + up.bias
        hidden = hidden * (1 + (hidden / math.sqrt(2)).erf()) / 2
        expected = (expected + hidden @ down.weight.T + down.bias) * real
    torch.testing.assert_close(network(inputs, LENGTHS, None, fresh)[0], expected, rtol=0, atol=1e-11)


@every_cell
@every_form
@both_ways
def test_the_laws_of_reading_hold(cell: str, form: dict[str, Any], bidirectional: bool) -> None:
    gaps = check_invariance(build_network(cell, F, H, 3, bidirectional=bidirectional, dropout=0.5, **form))
    assert max(gaps.values()) < 1e-12


@every_cell
@pytest.mark.parametrize("more", [{}, {"initial_state": "learned"}], ids=str)
@torch.no_grad()
def test_step_by_step_is_at_once_and_an_empty_row_keeps_its_state(cell: str, more: dict[str, Any]) -> None:
    network, inputs = network_of(cell, BOTH, **more), torch.randn(B, T, F, dtype=torch.float64)
    _, before = network(torch.randn(B, 2, F, dtype=torch.float64))
    state, outputs = before, []
    for step in inputs.split(1, 1):
        output, state = network(step, None, state)
        outputs.append(output)
    whole, after = network(inputs, None, before)
    torch.testing.assert_close(torch.cat(outputs, 1), whole, rtol=0, atol=1e-11)
    kept = network(inputs, torch.tensor([T, 0, 1]), before)[1]
    once = network(inputs[:, :1], None, before)[1]
    for stepped, at_once, part, first, start in zip(*map(leaves, (state, after, kept, once, before)), strict=True):
        torch.testing.assert_close(stepped, at_once, rtol=0, atol=1e-11)
        torch.testing.assert_close(part, torch.stack([at_once[0], start[1], first[2]]), rtol=0, atol=1e-11)


@pytest.mark.parametrize("cell", ["lstm", "gru", "mingru"])
def test_gradients_are_those_of_finite_differences(cell: str) -> None:
    network = network_of(cell, BOTH, 2)
    names, weights = zip(*network.named_parameters(), strict=True)

    def forward(inputs: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        outputs, state = torch.func.functional_call(network, dict(zip(names, values, strict=True)), (inputs, LENGTHS))
        return outputs, *leaves(state)

    inputs = torch.randn(B, T, F, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(forward, (inputs, *weights), fast_mode=True)


@every_cell
def test_a_budget_counts_both_and_the_state(cell: str) -> None:
    blocks, plain = (build_network(cell, F, H, 2, **form) for form in (BOTH, {"block": "residual"}))
    products = K * (F + H) + 2 * 2 * E * H * H
    assert flops_per_step(blocks) == flops_per_step(plain) + 2 * products
    vectors = F + H + 2 * (F + H) + 2 * (E * H + H + 2 * H)  # biases, and LayerNorms before both
    assert count_parameters(blocks) == count_parameters(plain) + products + vectors
    assert cost_of(blocks).state_bytes == cost_of(plain).state_bytes + 4 * (K - 1) * (F + H)
    sizes: dict[str, Any] = {"input_size": F, "num_layers": 2, "parameters": count_parameters(blocks)}
    assert hidden_size_for(cell, **sizes, **BOTH) == H


@every_cell
def test_without_both_it_is_the_network_that_it_was(cell: str) -> None:
    found = []
    for form in ({}, {"convolution": 0, "mlp": 0}, {"convolution": K, "mlp": E}):
        torch.manual_seed(0)
        found.append(dict(build_network(cell, F, H, 3, block="residual", **form).named_parameters()))
    assert found[0].keys() == found[1].keys() and all(part.equal(found[1][name]) for name, part in found[0].items())
    drawn = [part for part in found[0].values() if part.unique().numel() > 1]
    assert all(any(part.equal(other) for other in found[2].values()) for part in drawn), "the recurrences are drawn as before"


@torch.no_grad()
def test_prepared_it_answers_alike() -> None:
    torch.manual_seed(0)
    network, state, again = build_network("gru", F, 8, 3, **BOTH), None, None
    copied = prepared(network)
    for step in torch.randn(B, T, F).split(1, 1):
        expected, state = network(step, None, state)
        outputs, again = copied(step, None, again)
        torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-6)


def test_weights_drop_out_and_16_bits_stay_finite() -> None:
    torch.manual_seed(0)
    network, inputs = build_network("gru", F, H, 3, weight_drop=0.5, **BOTH), torch.randn(B, T, F)
    assert not network(inputs)[0].equal(network(inputs)[0])
    with torch.autocast("cpu", torch.bfloat16):
        network(inputs, LENGTHS)[0].float().square().sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in network.parameters())


def test_a_microscope_sees_the_gates_and_the_inputs_that_a_convolution_keeps() -> None:
    """Each of these moves on by one place, whatever the weights: the Jacobian has singular values of 1."""
    torch.manual_seed(0)
    system = SequenceRegressor({"cell": "lstm", "hidden_size": H, "num_layers": 2, **BOTH}, F).double()
    batch = Batch(torch.randn(B, T, F, dtype=torch.float64), torch.tensor([6, 3, 2]), torch.randn(B, 1, dtype=torch.float64))
    seen = examine(system, [batch])
    assert set(seen.gates) == {"input", "forget", "output"} and len(seen.gradient_norms) == T
    assert seen.singular_values[0] >= 1 - 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "mingru"])
@pytest.mark.parametrize("form", ["torch_export", "onnx"])
def test_it_is_exported(form: str, cell: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = FrameClassifier({"cell": cell, "hidden_size": H, "num_layers": 2, **BOTH}, F, ["a", "b"]).eval()
    graph = Whole(model, lambda outputs: outputs, streams=True)
    assert [K - 1, F] in graph.state_sizes and [K - 1, H] in graph.state_sizes
    assert write_graph(form, "model", graph, tmp_path)["largest_difference"] <= PARITY


@pytest.mark.parametrize("name", ["convolution", "mlp"])
def test_what_is_no_part_of_a_block_is_refused(name: str) -> None:
    for block in ("plain", "highway"):
        with pytest.raises(ValueError, match=f"{name} must be 0 with block='{block}': it is a part of block='residual'"):
            build_network("gru", F, H, 2, block=block, **{name: 2})
    for wrong in (-1, 1.5, True, None, "4"):
        with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 0, not {wrong!r}"):
            build_network("gru", F, H, 2, block="residual", **{name: wrong})
    with pytest.raises(ValueError, match=f"{name} .* numbers must fit in .* the memory of this machine"):
        build_network("gru", F, 1000, 2, block="residual", **{name: 10**9})
