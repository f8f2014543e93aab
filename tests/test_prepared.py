"""Prepared networks: 32 bits change nothing, 16 bits equal rounded weights, 8 bits err as rounding can, and the original stays
as it is."""

import copy

import pytest
import torch
from torch import Tensor, nn

from rnn_lightning import CELLS, Seq2Seq, prepared
from rnn_lightning.inference import WEIGHTS, PackedLinear
from rnn_lightning.recurrent import build_network

LENGTHS = torch.tensor([7, 0, 3, 1])
QUANTIZED_CELLS = [cell for cell in CELLS if getattr(CELLS[cell], "kernel", None) in (nn.LSTM, nn.GRU)]


def inputs(width: int) -> Tensor:
    return torch.randn(4, 7, width, generator=torch.Generator().manual_seed(1))


def rounded(network: nn.Module) -> nn.Module:
    """A copy with every weight matrix rounded to 16 bits; biases are not."""
    copied = copy.deepcopy(network)
    for parameter in copied.parameters():
        if parameter.dim() == 2:
            parameter.data = parameter.data.half().float()
    return copied


@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_single_steps_of_32_bits_are_those_of_the_network(cell: str) -> None:
    torch.manual_seed(0)
    network = build_network(cell, 5, 8, 3)
    copied, state, again = prepared(network), None, None
    for step in inputs(5).split(1, 1):
        expected, state = network(step, None, state)
        outputs, again = copied(step, None, again)
        torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(again, state, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 5, 300])
@torch.no_grad()
def test_packed_products_are_those_of_the_layer(rows: int, bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, features = nn.Linear(70, 33, bias=bias), torch.randn(rows, 2, 70)
    packed = PackedLinear(layer, torch.float32)
    assert packed.weight.is_packed, "PyTorch has no calls for packed weights any more: see PackedWeight"
    torch.testing.assert_close(packed(features), layer(features), rtol=1e-4, atol=1e-5)
    small = PackedLinear(layer, torch.bfloat16)(features)
    assert small.dtype == torch.float32
    torch.testing.assert_close(small, layer.bfloat16()(features.bfloat16()).float(), rtol=0.02, atol=0.02)
    monkeypatch.setattr("rnn_lightning.packed.packing_is_there", lambda: False)
    plain = PackedLinear(nn.Linear(70, 33), torch.float32)
    assert not plain.weight.is_packed and plain(features).shape == (rows, 2, 33)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
@torch.no_grad()
def test_16_bits_compute_in_float32_with_rounded_weights(cell: str, bidirectional: bool) -> None:
    torch.manual_seed(0)
    network = build_network(cell, 5, 8, 2, bidirectional=bidirectional)
    expected = (rounded(network) if cell in QUANTIZED_CELLS else network)(inputs(5), LENGTHS)
    torch.testing.assert_close(prepared(network, "float16")(inputs(5), LENGTHS), expected)


@torch.no_grad()
def test_8_bits_of_a_product_err_no_more_than_rounding_can() -> None:
    torch.manual_seed(0)
    layer, rows = nn.Linear(64, 40), torch.randn(30, 64)
    outcome = prepared(nn.Sequential(layer), "int8")(rows)
    weight_step = layer.weight.abs().amax(1) / 127  # one a row of the weight
    input_step = (rows.max() - rows.min()) / 127  # 7 bits, which the processor's products can add up without overflow
    from_weights = rows.abs().sum(1, keepdim=True) * weight_step / 2
    from_inputs = (layer.weight.abs().sum(1) + 64 * weight_step / 2) * input_step
    errors = (outcome - layer(rows)).abs()
    assert (errors <= from_weights + from_inputs + 1e-5).all()
    assert errors.max() > 0, "nothing was quantized"


@pytest.mark.parametrize("cell", QUANTIZED_CELLS)
@torch.no_grad()
def test_8_bits_stay_near(cell: str) -> None:
    torch.manual_seed(0)
    network = build_network(cell, 5, 32, 2, bidirectional=True)
    outputs, _ = network(inputs(5), LENGTHS)
    outcome, _ = prepared(network, "int8")(inputs(5), LENGTHS)
    assert 0 < (outcome - outputs).abs().max() < 0.05 * outputs.abs().max()
    assert (outcome[1] == 0).all(), "an empty row"


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_translation_system_translates_on(cell: str, weights: str) -> None:
    torch.manual_seed(0)
    system = Seq2Seq(20, 30, {"cell": cell, "hidden_size": 16}, end=2, embedding_size=16, tied=True, input_feeding=True)
    before = copy.deepcopy(system.state_dict())
    small = prepared(system, weights)
    sources = torch.randint(0, 20, (4, 7))
    search = {"beam_size": 3, "min_length": 9, "max_length": 9}  # an end that comes by chance would hide what rounding does
    outcome, expected = small.translate(sources, LENGTHS, **search), system.eval().translate(sources, LENGTHS, **search)
    tolerance = {"float32": 1e-4, "float16": 0.02}.get(weights, 1.0)
    torch.testing.assert_close(outcome.scores, expected.scores, rtol=0.0, atol=tolerance)
    assert weights != "float32" or outcome.tokens.equal(expected.tokens)
    torch.testing.assert_close(system.state_dict(), before)
    assert not small.training


def test_rows_do_not_know_each_other_in_16_bits() -> None:
    torch.manual_seed(0)
    system = prepared(Seq2Seq(20, 30, {"cell": "lstm", "hidden_size": 16}, end=2, embedding_size=16), "float16")
    sources = torch.randint(0, 20, (6, 7))
    together = system.translate(sources, beam_size=3, max_length=9).scores
    apart = torch.cat([system.translate(row.unsqueeze(0), beam_size=3, max_length=9).scores for row in sources])
    torch.testing.assert_close(together, apart)


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match=r"weights must be one of .*float16.*int8.*, not 'int4'"):
        prepared(nn.Linear(2, 2), "int4")
