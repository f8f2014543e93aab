"""Products in bfloat16 beside weights in float32: losses stay near those of float32, and gradients reach every weight."""

import pytest
import torch

from rnn_lightning import Batch, LanguageModel
from rnn_lightning.recurrent import CELLS
from rnn_lightning.systems.language_model import MANY

VOCABULARY = MANY + 904
LSTM_KNOWS_IT = torch.cpu._is_avx512_supported()
"""PyTorch's own LSTM computes in bfloat16 on processors with AVX-512 only."""


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tied", [False, True])
def test_a_loss_over_many_classes_is_that_of_float32(cell: str, tied: bool) -> None:
    if cell == "lstm" and not LSTM_KNOWS_IT:
        pytest.skip("this processor has no AVX-512")
    torch.manual_seed(0)
    model = LanguageModel(VOCABULARY, {"cell": cell, "hidden_size": 16}, 16, tied=tied)
    torch.nn.init.normal_(model.output.weight, std=0.7)  # logits far enough from equal for their sums to be hard
    tokens = torch.randint(VOCABULARY, (6, 11))
    batch = Batch(tokens[:, :-1], None, tokens[:, 1:])
    with torch.no_grad():
        exact, _ = model.loss_on(batch, "test")
    with torch.autocast("cpu", torch.bfloat16):
        mixed, count = model.loss_on(batch, "val")
        learned, _ = model.loss_on(batch, "train")
    assert count == 60
    torch.testing.assert_close(mixed.float(), exact, rtol=2e-3, atol=0)
    learned.backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())
