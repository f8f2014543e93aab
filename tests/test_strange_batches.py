"""Batches, checkpoints and items that are nearly right: refused in a line that names the argument, or read as documented."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import calls
import lightning
import pytest
import torch

from rnn_lightning import (
    IGNORED,
    AtomicCheckpointIO,
    Batch,
    CTCRecognizer,
    FrameClassifier,
    LanguageModel,
    SequenceClassifier,
    Tagger,
)
from rnn_lightning.items.inputs import token_numbers

RNN = {"cell": "gru", "hidden_size": 4}
FEATURES, TOKENS, LENGTHS = torch.ones(2, 4, 3), torch.ones(2, 4, dtype=torch.int64), torch.tensor([4, 2])
CLASSES = torch.tensor([0, 1])


def classes() -> SequenceClassifier:
    return SequenceClassifier(RNN, input_size=3, num_classes=2)


def values() -> SequenceClassifier:
    return SequenceClassifier(RNN, input_size=3)


def labels() -> CTCRecognizer:
    return CTCRecognizer(RNN, input_size=3, labels=["<blank>", "a", "b"])


STRANGE: dict[str, tuple[Callable[[], Any], Batch, str]] = {
    "a class too large": (classes, Batch(FEATURES, LENGTHS, CLASSES + 1), "target 2 in row 1"),
    "a negative class": (classes, Batch(FEATURES, LENGTHS, CLASSES - 1), "target -1 in row 0"),
    "classes as floats": (classes, Batch(FEATURES, LENGTHS, CLASSES.float()), "targets must be int64"),
    "classes as int32": (classes, Batch(FEATURES, LENGTHS, CLASSES.int()), "targets must be int64"),
    "values as whole numbers": (values, Batch(FEATURES, LENGTHS, CLASSES), "targets must be finite floats"),
    "a value that is NaN": (values, Batch(FEATURES, LENGTHS, torch.tensor([1.0, torch.nan])), "targets must be finite floats"),
    "double features": (classes, Batch(FEATURES.double(), LENGTHS, CLASSES), r"inputs are float64.*give inputs.float\(\)"),
    "target lengths of a tagger": (
        lambda: Tagger(9, 3, RNN, embedding_size=2),
        Batch(TOKENS, LENGTHS, TOKENS, torch.tensor([0, 0])),
        "target_lengths must be the lengths here",
    ),
    "target lengths of frames": (
        lambda: FrameClassifier(RNN, 3, ["a", "b"]),
        Batch(FEATURES, LENGTHS, TOKENS, torch.tensor([1, 1])),
        "target_lengths must be the lengths here",
    ),
    "target lengths of a text": (
        lambda: LanguageModel(9, RNN, 2),
        Batch(TOKENS, LENGTHS, TOKENS, torch.tensor([1, 1])),
        "target_lengths must be the lengths here",
    ),
    "a text without steps": (
        lambda: LanguageModel(9, RNN, 2),
        Batch(TOKENS[:, :0], None, TOKENS),
        r"targets must be one a token, \(2, 0\), not \(2, 4\)",
    ),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_batch_that_does_not_fit_is_refused_by_name(name: str) -> None:
    build, batch, said = STRANGE[name]
    with pytest.raises(ValueError, match=said):
        build().loss_on(batch, "train")


def test_labels_padded_as_ignored_are_those_of_their_lengths() -> None:
    torch.manual_seed(0)
    model = labels().eval()
    padded = torch.tensor([[1, 2], [1, IGNORED]])
    with_lengths = Batch(torch.randn(2, 6, 3), None, padded.masked_fill(padded == IGNORED, 0), torch.tensor([2, 1]))
    expected = model.loss_on(with_lengths, "train")
    found = model.loss_on(with_lengths._replace(targets=padded, target_lengths=None), "train")
    assert torch.equal(found[0], expected[0]) and found[1] == expected[1]


def empty(name: str) -> Batch:
    """A batch of no rows for the system ``name`` of `calls`."""
    model = calls.system(name)
    words = torch.zeros(0, 4, 3).long() if name == "Tagger" else torch.zeros(0, 4).long()  # of a tagger with their characters
    inputs = torch.zeros(0, 4, model.input_size) if model.vocab_size is None else words
    targets = {
        "SequenceClassifier": torch.zeros(0).long(),
        "SequenceRegressor": torch.zeros(0, 4, 2),
        "Forecaster": torch.zeros(0, 3, 2),
    }
    return Batch(inputs, None, targets.get(name, torch.zeros(0, 4).long()))


@pytest.mark.parametrize("name", calls.SYSTEMS)
def test_a_batch_of_no_rows_has_no_loss_and_no_answer(name: str) -> None:
    model, batch = calls.system(name), empty(name)
    loss, count = model.loss_on(batch, "train")
    assert (loss.item(), count) == (0, 0)
    answer = model.predict_on(batch)
    assert not len(answer if isinstance(answer, torch.Tensor) else answer[0])


def test_a_batch_of_no_values_has_no_loss() -> None:
    loss, count = values().loss_on(Batch(FEATURES[:0], None, torch.zeros(0)), "train")
    assert (loss.item(), count) == (0, 0)


def test_labels_of_no_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"targets must be integers of shape \(B, U\), not torch.int64 of shape \(2,\)"):
        labels().loss_on(Batch(FEATURES, None, CLASSES), "train")


def test_rows_without_steps_are_classified_as_empty_ones() -> None:
    model = classes().eval()
    empty = model(FEATURES, torch.tensor([0, 0]))[0]
    torch.testing.assert_close(model(FEATURES[:, :0])[0], empty)


def test_a_checkpoint_of_another_class_or_with_a_mistyped_replacement_is_refused(tmp_path: Path) -> None:
    model = classes()
    file = tmp_path / "model.ckpt"
    content = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    AtomicCheckpointIO().save_checkpoint(content | {"pytorch-lightning_version": lightning.__version__}, file)
    with pytest.raises(ValueError, match=r"model.ckpt is no checkpoint of Tagger"):
        Tagger.load_from_checkpoint(file)
    with pytest.raises(ValueError, match=r"SequenceClassifier has no droput: it has .*dropout"):
        SequenceClassifier.load_from_checkpoint(file, droput=0.5)
    assert SequenceClassifier.load_from_checkpoint(file, dropout=0.5).hparams["dropout"] == 0.5


@pytest.mark.parametrize("item", [[1.9, 2], [True], "[1, 2", "1.5", "\u0663", 3, [float("inf")], ["1"]])
def test_what_is_no_list_of_tokens_is_refused(item: Any) -> None:
    with pytest.raises(ValueError, match="it is no list of token numbers"):
        token_numbers(item)


@pytest.mark.parametrize("item", ["[1, 2]", "1 2", " 1,2 ", [1, 2], torch.tensor([1, 2])])
def test_a_list_of_tokens_is_read_in_every_form(item: Any) -> None:
    assert token_numbers(item) == [1, 2]
