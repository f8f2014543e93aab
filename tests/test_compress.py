"""Compressed networks: 16 bits equal rounded weights, 8 bits err as rounding can, and the original is left alone."""

import copy

import pytest
import torch
from torch import Tensor, nn

from rnn_lightning import CELLS, Seq2Seq, compressed
from rnn_lightning.compress import WEIGHTS
from rnn_lightning.recurrent import build_network

LENGTHS = torch.tensor([7, 0, 3, 1])
COMPRESSED_CELLS = [cell for cell in CELLS if getattr(CELLS[cell], "kernel", None) in (nn.LSTM, nn.GRU)]


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
@pytest.mark.parametrize("bidirectional", [False, True])
@torch.no_grad()
def test_16_bits_compute_in_float32_with_rounded_weights(cell: str, bidirectional: bool) -> None:
    torch.manual_seed(0)
    network = build_network(cell, 5, 8, 2, bidirectional=bidirectional)
    expected = (rounded(network) if cell in COMPRESSED_CELLS else network)(inputs(5), LENGTHS)
    torch.testing.assert_close(compressed(network, "float16")(inputs(5), LENGTHS), expected)


@torch.no_grad()
def test_8_bits_of_a_product_err_no_more_than_rounding_can() -> None:
    torch.manual_seed(0)
    layer, rows = nn.Linear(64, 40), torch.randn(30, 64)
    outcome = compressed(nn.Sequential(layer), "int8")(rows)
    weight_step = layer.weight.abs().amax(1) / 127  # one a row of the weight
    input_step = (rows.max() - rows.min()) / 127  # 7 bits, which the processor's products can add up without overflow
    from_weights = rows.abs().sum(1, keepdim=True) * weight_step / 2
    from_inputs = (layer.weight.abs().sum(1) + 64 * weight_step / 2) * input_step
    errors = (outcome - layer(rows)).abs()
    assert (errors <= from_weights + from_inputs + 1e-5).all()
    assert errors.max() > 0, "nothing was compressed"


@pytest.mark.parametrize("cell", COMPRESSED_CELLS)
@torch.no_grad()
def test_8_bits_stay_near(cell: str) -> None:
    torch.manual_seed(0)
    network = build_network(cell, 5, 32, 2, bidirectional=True)
    outputs, _ = network(inputs(5), LENGTHS)
    outcome, _ = compressed(network, "int8")(inputs(5), LENGTHS)
    assert 0 < (outcome - outputs).abs().max() < 0.05 * outputs.abs().max()
    assert (outcome[1] == 0).all(), "an empty row"


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_translation_system_translates_on(cell: str, weights: str) -> None:
    torch.manual_seed(0)
    system = Seq2Seq(20, 30, {"cell": cell, "hidden_size": 16}, end=2, embedding_size=16, tied=True, input_feeding=True)
    before = copy.deepcopy(system.state_dict())
    small = compressed(system, weights)
    sources = torch.randint(0, 20, (4, 7))
    outcome = small.translate(sources, LENGTHS, beam_size=3, max_length=9)
    expected = system.eval().translate(sources, LENGTHS, beam_size=3, max_length=9)
    torch.testing.assert_close(outcome.scores, expected.scores, rtol=0.0, atol=0.02 if weights == "float16" else 1.0)
    torch.testing.assert_close(system.state_dict(), before)
    assert not small.training


def test_rows_do_not_know_each_other_in_16_bits() -> None:
    torch.manual_seed(0)
    system = compressed(Seq2Seq(20, 30, {"cell": "lstm", "hidden_size": 16}, end=2, embedding_size=16), "float16")
    sources = torch.randint(0, 20, (6, 7))
    together = system.translate(sources, beam_size=3, max_length=9).scores
    apart = torch.cat([system.translate(row.unsqueeze(0), beam_size=3, max_length=9).scores for row in sources])
    torch.testing.assert_close(together, apart)


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match=r"weights must be one of .*float16.*int8.*, not 'int4'"):
        compressed(nn.Linear(2, 2), "int4")
