"""One answer a sequence: what counts, what fills a row up, and targets of another shape."""

import pytest
import torch
import torch.nn.functional as F

from rnn_lightning import IGNORED, Batch, SequenceClassifier
from rnn_lightning.recurrent import CELLS

LENGTHS = torch.tensor([6, 1, 4, 3])


def model(**told) -> SequenceClassifier:
    torch.manual_seed(0)
    return SequenceClassifier({"cell": "gru", "hidden_size": 4}, 3, **told)


def test_targets_that_are_ignored_count_nowhere() -> None:
    system, inputs = model(num_classes=3), torch.randn(4, 6, 3)
    targets = torch.tensor([0, IGNORED, 1, IGNORED])
    loss, count = system.loss_on(Batch(inputs, LENGTHS, targets), "test")
    scores = system(inputs, LENGTHS)[0][[0, 2]]
    torch.testing.assert_close(loss, F.cross_entropy(scores, targets[[0, 2]]))
    assert count == 2
    assert system.metric("test", "accuracy").compute() == (scores.argmax(1) == targets[[0, 2]]).float().mean()
    loss, count = system.loss_on(Batch(inputs, LENGTHS, torch.full((4,), IGNORED)), "train")
    assert (loss.item(), count) == (0.0, 0)
    loss.backward()


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize("shape", [(4, 1), (3,), (1,), ()])
def test_targets_are_one_a_row(num_classes: int | None, shape: tuple[int, ...]) -> None:
    targets = torch.zeros(shape, dtype=torch.float32 if num_classes is None else torch.int64)
    with pytest.raises(ValueError, match=r"targets must have shape \(4,\), one a row, not "):
        model(num_classes=num_classes).loss_on(Batch(torch.randn(4, 6, 3), LENGTHS, targets), "train")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("filling", [-1, IGNORED, 9, 2**40])
def test_what_fills_a_row_of_tokens_up_need_be_no_token(cell: str, filling: int) -> None:
    torch.manual_seed(0)
    system = SequenceClassifier({"cell": cell, "hidden_size": 4, "bidirectional": True}, 3, num_classes=3, vocab_size=9)
    tokens = torch.randint(9, (4, 6))
    filled = torch.where(torch.arange(6) < LENGTHS.unsqueeze(1), tokens, filling)
    torch.testing.assert_close(system(filled, LENGTHS), system(tokens, LENGTHS), rtol=0, atol=0)
    with pytest.raises(ValueError, match=rf"token {filling} in row 1, step 1: tokens are 0\.\.8"):
        system(filled)
