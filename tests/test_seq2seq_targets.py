"""What a target of a translation must be: it ends with the token ``end``, and has it nowhere else."""

import pytest
import torch

from rnn_lightning import IGNORED, Batch, Seq2Seq

END = 3


def model() -> Seq2Seq:
    torch.manual_seed(0)
    return Seq2Seq(9, 5, {"cell": "gru", "hidden_size": 4}, end=END, embedding_size=4)


def batch(*targets: list[int], lengths: list[int] | None = None) -> Batch:
    counts = None if lengths is None else torch.tensor(lengths)
    return Batch(torch.ones(len(targets), 2, dtype=torch.int64), None, torch.tensor(targets), counts)


GOOD = {
    "whole": batch([1, 2, END], [4, 0, END]),
    "counted": batch([1, 2, END], [END, END, 7], lengths=[3, 1]),
    "filled": batch([1, 2, END], [END, IGNORED, IGNORED]),
    "none": batch([1, 2, END], [IGNORED, IGNORED, IGNORED]),
}
BAD = {
    "no end": (
        batch([1, END], [1, 2]),
        r"in row 1 is \[1, 2\]: append the token to the targets, and count it",
    ),
    "cut off": (batch([1, 2, END], lengths=[2]), r"in row 0 is \[1, 2\]"),
    "two": (batch([1, END, END]), r"in row 0 is \[1, 3, 3\]"),
    "early": (batch([1, END, 2, IGNORED]), r"in row 0 is \[1, 3, 2\]"),
}


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("name", GOOD)
def test_a_target_with_its_end_is_learnt(name: str, split: str) -> None:
    loss, count = model().loss_on(GOOD[name], split)
    assert bool(loss.isfinite()) and count >= 3


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("name", BAD)
def test_a_target_without_its_end_is_refused(name: str, split: str) -> None:
    pairs, message = BAD[name]
    with pytest.raises(ValueError, match=r"each target must end with the token 3 \(end\), .*; the one " + message):
        model().loss_on(pairs, split)
    with pytest.raises(ValueError, match=message):
        model().transfer_batch_to_device(pairs, torch.device("meta"), 0)


def test_a_batch_without_a_real_target_costs_nothing() -> None:
    loss, count = model().loss_on(batch([IGNORED, IGNORED]), "train")
    loss.backward()
    assert (float(loss), count) == (0.0, 0)
