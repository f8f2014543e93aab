"""Loaders of one's own: every form of a batch is read alike, and what is none is refused."""

import pytest
import torch

from rnn_lightning import Batch, LanguageModel, SequenceClassifier

INPUTS, LENGTHS, TARGETS = torch.randn(4, 5, 3), torch.tensor([5, 0, 3, 1]), torch.tensor([0, 1, 1, 0])


FORMS = {
    "pair": ((INPUTS, TARGETS), Batch(INPUTS, None, TARGETS)),
    "list": ([INPUTS, LENGTHS, TARGETS], Batch(INPUTS, LENGTHS, TARGETS)),
    "dict": ({"targets": TARGETS, "inputs": INPUTS}, Batch(INPUTS, None, TARGETS)),
    "batch": (Batch(INPUTS, LENGTHS, TARGETS), Batch(INPUTS, LENGTHS, TARGETS)),
    "short lengths": ((INPUTS, LENGTHS.int(), TARGETS), Batch(INPUTS, LENGTHS.int(), TARGETS)),
    "inputs": (INPUTS, Batch(INPUTS, None, None)),  # pyright: ignore[reportArgumentType]
    "of a TensorDataset": ([INPUTS], Batch(INPUTS, None, None)),  # pyright: ignore[reportArgumentType]
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_batch(form: str) -> None:
    given, expected = FORMS[form]
    for part, wanted in zip(Batch.of(given), expected, strict=True):
        assert part is None if wanted is None else torch.equal(part, wanted)


WRONG = {
    "four": ((INPUTS, LENGTHS, TARGETS, LENGTHS), "a batch must be .* not tuple of 4 parts"),
    "none": ((), "not tuple of 0 parts"),
    "text": ("inputs", "a batch must be .*, not str of 0 parts"),
    "key": (
        {"inputs": INPUTS, "labels": TARGETS},
        r"a dict of some of inputs, .* not a dict of \['inputs', 'labels'\]",
    ),
    "no inputs": ({"targets": TARGETS}, r"with inputs among them, not a dict of \['targets'\]"),
    "array": ((INPUTS.numpy(), TARGETS), "a batch's inputs must be a tensor, not ndarray"),
    "number": ((INPUTS, 3), "a batch's targets must be a tensor, not int"),
    "steps": ((INPUTS[:, 0, 0], TARGETS), r"inputs must have shape \(B, T\) or \(B, T, ...\), not \(4,\)"),
    "floats": ((INPUTS, LENGTHS.float(), TARGETS), "lengths must be int64 or int32, not torch.float32"),
    "long": ((INPUTS, LENGTHS + 1, TARGETS), r"lengths\[0\] is 6; it must lie in 0..5, the steps of the batch"),
    "swapped": ((INPUTS, INPUTS[:, :, 0].long(), LENGTHS), r"lengths must have shape \(4,\), one a row, not \(4, 5\)"),
    "rows": ((INPUTS, TARGETS[:3]), r"targets must have 4 rows, as its inputs, not shape \(3,\)"),
    "scalar": ((INPUTS, torch.tensor(1)), r"targets must have 4 rows, as its inputs, not shape \(\)"),
    "counts": (Batch(INPUTS, None, TARGETS, LENGTHS), r"target_lengths are for targets of shape \(B, U\)"),
    "many": (Batch(INPUTS, None, TARGETS.view(4, 1), LENGTHS), r"target_lengths\[0\] is 5; it must lie in 0..1, the targets"),
    "fresh": (
        Batch(INPUTS, None, TARGETS, fresh=LENGTHS),
        r"fresh must be bool of shape \(4,\) or \(4, .*\), true where rows begin anew",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_batch_is_refused_with_what_came_and_what_is_allowed(name: str) -> None:
    given, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        Batch.of(given)
    with pytest.raises(ValueError, match=message):
        SequenceClassifier({"cell": "gru", "hidden_size": 4}, 3, num_classes=2).training_step(given, 0)


def test_a_batch_without_targets_is_only_predicted_on() -> None:
    model = SequenceClassifier({"cell": "gru", "hidden_size": 4}, 3, num_classes=2).eval()
    assert torch.equal(model.predict_step(INPUTS, 0), model.classify(INPUTS))
    with pytest.raises(ValueError, match="a batch without targets can only be predicted on"):
        model.validation_step({"inputs": INPUTS}, 0)


def test_lengths_stay_where_python_asks_for_them() -> None:
    batch = Batch(INPUTS, LENGTHS, TARGETS, fresh=torch.ones(4, dtype=torch.bool)).to(torch.device("meta"))
    assert [part is not None and part.device.type for part in batch] == ["meta", "cpu", "meta", False, "cpu"]


def test_a_batch_is_checked_before_it_leaves_for_a_device() -> None:
    model, tokens = LanguageModel(9, {"cell": "gru", "hidden_size": 4}), torch.tensor([[1, 9]])
    with pytest.raises(ValueError, match="token 9 in row 0, step 1"):
        model.transfer_batch_to_device((tokens, tokens), torch.device("meta"), 0)
