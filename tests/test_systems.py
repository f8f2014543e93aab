"""The systems: their laws, their numbers against naive ones, their checkpoints, and what they refuse."""

import math
from pathlib import Path

import lightning
import pytest
import torch
import torch.nn.functional as F
from corpora import CHARACTERS, TAGS, VOCABULARY, write_pairs, write_stream, write_tagged
from often import in_turn, mixed

from rnn_lightning import (
    IGNORED,
    Batch,
    LanguageModel,
    PairModule,
    SequenceClassifier,
    StreamModule,
    System,
    Tagger,
    check_invariance,
)
from rnn_lightning.recurrent import CELLS
from rnn_lightning.systems.language_model import MANY, cross_entropy

SYSTEMS = ("language model", "sequence classifier", "tagger")
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


def trainer(**more) -> lightning.Trainer:
    return lightning.Trainer(accelerator="cpu", max_epochs=1, **QUIET, **more)


def language_model(cell: str = "lstm", **more) -> LanguageModel:
    torch.manual_seed(0)
    rnn = {"cell": cell, "hidden_size": 6, "num_layers": 2}
    return LanguageModel(VOCABULARY, rnn, 5, **more)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("more", [{}, {"tied": True}, {"dropout": 0.5, "locked": True}], ids=str)
def test_a_language_model_keeps_the_laws(cell: str, more: dict) -> None:
    check_invariance(language_model(cell, **more))


NUMBERS = {"mean": [1.0, -2.0, 0.5], "std": [0.1, 3.0, 1.0]}


READS: list[dict] = [{}, {"num_classes": 3}, {"vocab_size": 9}, {"standardize": NUMBERS}]


@pytest.mark.parametrize(("cell", "bidirectional", "more"), mixed([*CELLS], [False, True], READS), ids=str)
def test_a_sequence_classifier_keeps_the_laws(cell: str, bidirectional: bool, more: dict) -> None:
    torch.manual_seed(0)
    check_invariance(SequenceClassifier({"cell": cell, "hidden_size": 4, "bidirectional": bidirectional}, 3, **more))


@pytest.mark.parametrize(("cell", "system"), in_turn([*CELLS], SYSTEMS))
def test_every_cell_trains_in_every_system_and_comes_back_from_its_checkpoint(tmp_path: Path, cell: str, system: str) -> None:
    if system == "language model":
        model: System = language_model(cell)
        data = StreamModule(write_stream(tmp_path), batch_size=4, steps=10)
        inputs = torch.randint(0, VOCABULARY, (2, 7))
    elif system == "tagger":
        characters = {"kind": "rnn", "embedding_size": 4, "rnn": {"cell": cell, "hidden_size": 3, "bidirectional": True}}
        rnn = {"cell": cell, "hidden_size": 4, "num_layers": 2, "bidirectional": True}
        model = Tagger(VOCABULARY, TAGS, rnn, num_characters=CHARACTERS, characters=characters, embedding_size=5)
        data = PairModule(write_tagged(tmp_path), batch_size=20)
        inputs = torch.randint(0, CHARACTERS, (2, 7, 4))
    else:
        model = SequenceClassifier({"cell": cell, "hidden_size": 4}, 2)
        data = PairModule(write_pairs(tmp_path), batch_size=8)
        inputs = torch.rand(2, 7, 2)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    fitted = trainer(limit_train_batches=3, limit_val_batches=1)
    fitted.fit(model, data)
    assert all(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    fitted.save_checkpoint(tmp_path / "model.ckpt")
    again = type(model).load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True)
    assert torch.equal(model.eval()(inputs)[0], again.eval()(inputs)[0])


@pytest.mark.parametrize("joined", [True, False])
def test_perplexity_weighs_every_token_alike(tmp_path: Path, joined: bool) -> None:
    model = language_model()
    data = StreamModule(write_stream(tmp_path), batch_size=4, steps=10, joined=joined)
    (metrics,) = trainer().test(model, data, verbose=False)
    dataset = data.dataset("test")
    total, count, state = 0.0, 0, None
    model.eval()
    with torch.no_grad():
        for name in dataset.in_order():
            batch = dataset[name]
            state = None if batch.fresh.all() else state
            logits, state = model(batch.inputs, batch.lengths, state)
            for row, targets in enumerate(batch.targets):
                length = len(targets) if batch.lengths is None else int(batch.lengths[row])
                total += float(F.cross_entropy(logits[row, :length], targets[:length], reduction="sum"))
                count += length
    assert metrics["test/loss"] == pytest.approx(total / count, abs=1e-5)
    assert metrics["test/perplexity"] == pytest.approx(math.exp(total / count), rel=1e-5)


def test_characters_are_measured_in_bits(tmp_path: Path) -> None:
    data = StreamModule(write_stream(tmp_path), batch_size=4, steps=10)
    (metrics,) = trainer().test(language_model(unit="character"), data, verbose=False)
    assert metrics["test/bits_per_char"] == pytest.approx(metrics["test/loss"] / math.log(2))


def test_the_state_is_carried_or_reset_as_told(tmp_path: Path) -> None:
    carry, reset = language_model(), language_model(evaluation_state="reset")
    long = StreamModule(write_stream(tmp_path), batch_size=1, steps=1000)
    short = StreamModule(tmp_path, batch_size=1, steps=5)
    losses = [trainer().test(model, data, verbose=False)[0]["test/loss"] for model in (carry, reset) for data in (long, short)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert losses[2] == pytest.approx(losses[0], abs=1e-6)
    assert abs(losses[3] - losses[2]) > 1e-5


def test_validation_does_not_disturb_training(tmp_path: Path) -> None:
    def weights(**validation) -> list[torch.Tensor]:
        model = language_model()
        trainer(num_sanity_val_steps=0, **validation).fit(model, StreamModule(write_stream(tmp_path), batch_size=4, steps=10))
        return [parameter.detach() for parameter in model.parameters()]

    often, never = weights(val_check_interval=2), weights(limit_val_batches=0)
    assert all(torch.equal(one, other) for one, other in zip(often, never, strict=True))


def test_the_gradient_stops_at_the_batch_and_the_state_does_not() -> None:
    model = language_model()
    tokens = torch.randint(0, VOCABULARY, (2, 6))
    model.loss_on(Batch(tokens, None, tokens, fresh=torch.tensor([True, True])), "train")
    carried = model.states["train"]
    assert not any(part.requires_grad for part in carried)
    model.loss_on(Batch(tokens, None, tokens, fresh=torch.tensor([False, True])), "train")
    _, expected = model(tokens, state=tuple(part * torch.tensor([1.0, 0.0]).view(2, 1, 1) for part in carried))
    torch.testing.assert_close(model.states["train"], expected)


@pytest.mark.parametrize("classes", [MANY - 1, MANY, MANY + 1500])
@pytest.mark.parametrize("rows", [1, 300, 600])
def test_cross_entropy_in_tiles_equals_the_plain_one_in_value_and_gradient(classes: int, rows: int) -> None:
    torch.manual_seed(0)
    hidden, targets = 3 * torch.randn(rows, 8, dtype=torch.float64), torch.randint(0, classes, (rows,))
    output = torch.nn.Linear(8, classes, dtype=torch.float64)
    plain, tiled = hidden.clone().requires_grad_(), hidden.clone().requires_grad_()
    expected = F.cross_entropy(output(plain), targets)
    (2.5 * expected).backward()
    wanted = [parameter.grad.clone() for parameter in output.parameters()]
    output.zero_grad()
    loss = cross_entropy(tiled, output, targets)
    (2.5 * loss).backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close([tiled.grad, *(parameter.grad for parameter in output.parameters())], [plain.grad, *wanted])
    with torch.no_grad():
        torch.testing.assert_close(cross_entropy(hidden, output, targets), expected)


def test_cross_entropy_in_tiles_bears_logits_that_no_exponential_does() -> None:
    hidden, targets = torch.full((2, 1), 1e4), torch.tensor([0, 1])
    output = torch.nn.Linear(1, MANY)
    for parameter in output.parameters():
        torch.nn.init.zeros_(parameter)
    output.weight.data[0] = 1.0
    torch.testing.assert_close(cross_entropy(hidden, output, targets), torch.tensor(5e3))


@pytest.mark.parametrize("target", [-1, VOCABULARY, 10**6])
def test_a_target_outside_the_vocabulary_is_refused_with_its_place(target: int) -> None:
    tokens = torch.randint(0, VOCABULARY, (2, 6))
    targets = tokens.clone()
    targets[1, 4] = target
    with pytest.raises(ValueError, match=rf"target {target} in row 1, step 4: targets are 0\.\.{VOCABULARY - 1}"):
        language_model().loss_on(Batch(tokens, None, targets), "train")


def test_a_batch_without_a_real_target_costs_nothing() -> None:
    model = language_model()
    tokens = torch.zeros(2, 3, dtype=torch.int64)
    loss, count = model.loss_on(Batch(tokens, None, torch.full_like(tokens, IGNORED)), "train")
    loss.backward()
    assert (float(loss), count) == (0.0, 0)


def test_sampling_follows_the_model_and_its_seed() -> None:
    model = language_model().eval()
    prompt = torch.tensor([[1, 2, 3]])
    assert torch.equal(model.generate(prompt, 9, seed=1), model.generate(prompt, 9, seed=1))
    greedy, tokens = model.generate(prompt, 4, temperature=0), prompt
    for step in range(4):
        token = model(tokens)[0][:, -1].argmax(-1, keepdim=True)
        assert torch.equal(greedy[:, step : step + 1], token)
        tokens = torch.cat([tokens, token], 1)
    many = model.generate(prompt.expand(20_000, 3), 1, seed=0).flatten().bincount(minlength=VOCABULARY) / 20_000
    torch.testing.assert_close(many, model(prompt)[0][0, -1].softmax(0), atol=0.015, rtol=0)


def test_standardized_features_are_read_as_such() -> None:
    """A model with the numbers reads what one without them reads of features that were standardised before."""
    torch.manual_seed(0)
    plain = SequenceClassifier(LSTM, 3, num_classes=4)
    told = SequenceClassifier(LSTM, 3, num_classes=4, standardize=NUMBERS)
    told.load_state_dict(plain.state_dict())
    inputs = torch.randn(5, 6, 3)
    before = (inputs - torch.tensor(NUMBERS["mean"])) / torch.tensor(NUMBERS["std"])
    torch.testing.assert_close(told(inputs)[0], plain(before)[0])
    assert torch.equal(told.classify(inputs), told(inputs)[0].argmax(1))


LSTM = {"cell": "lstm", "hidden_size": 4}
REFUSED = {
    "cell": (lambda: LanguageModel(9, {"cell": "lstn", "hidden_size": 4}), "cell must be one of .*'lstm'.* not 'lstn'"),
    "ahead": (lambda: LanguageModel(9, {**LSTM, "bidirectional": True}), "must not read ahead"),
    "unit": (lambda: LanguageModel(9, LSTM, unit="byte"), "unit must be one of .*, not 'byte'"),
    "state": (lambda: LanguageModel(9, LSTM, evaluation_state="keep"), "evaluation_state must be one of .* not 'keep'"),
    "vocabulary": (lambda: LanguageModel(0, LSTM), "vocab_size must be a whole number of at least 1, not 0"),
    "optimizer": (lambda: LanguageModel(9, LSTM, optimizer={"name": "adm"}), "optimizer name must be one of .* not 'adm'"),
    "key": (lambda: LanguageModel(9, LSTM, optimizer={"name": "adam", "rl": 1}), "optimizer 'adam': .*'rl'"),
    "classes": (lambda: SequenceClassifier(LSTM, 2, num_classes=1), "num_classes must be a whole number of at least 2"),
    "names": (lambda: SequenceClassifier(LSTM, 2, num_classes=3, classes=["a"]), "classes must be a list of exactly 3 names"),
    "no names": (lambda: SequenceClassifier(LSTM, 2, classes=["a"]), "classes must be a list of exactly 0 names"),
    "numbers": (lambda: SequenceClassifier(LSTM, 3, vocab_size=9, standardize=NUMBERS), "standardize is for features"),
    "width": (
        lambda: SequenceClassifier(LSTM, 2)(torch.rand(1, 4, 1)),
        r"floats of shape \(B, T, 2\), not .* of shape \(1, 4, 1\)",
    ),
    "no classes": (lambda: SequenceClassifier(LSTM, 2).classify(torch.rand(1, 4, 2)), "without num_classes has no classes"),
    "token": (lambda: LanguageModel(9, LSTM)(torch.tensor([[1, 9]])), r"token 9 in row 0, step 1: tokens are 0\.\.8"),
    "negative": (lambda: LanguageModel(9, LSTM)(torch.tensor([[-1]])), "token -1 in row 0, step 0"),
    "floats": (lambda: LanguageModel(9, LSTM)(torch.rand(1, 2)), "tokens must be int64"),
    "nan": (
        lambda: SequenceClassifier(LSTM, 2)(torch.tensor([[[0.0, 1.0], [0.0, torch.nan]]])),
        "the input at row 0, step 1 is nan; features must be finite",
    ),
    "length": (lambda: LanguageModel(9, LSTM)(torch.zeros(1, 3).long(), torch.tensor([4])), r"lengths\[0\] is 4"),
    "prompt": (lambda: LanguageModel(9, LSTM).generate(torch.zeros(1, 0).long(), 3), "T at least 1"),
    "temperature": (
        lambda: LanguageModel(9, LSTM).generate(torch.zeros(1, 1).long(), 3, temperature=-1),
        "temperature must be",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_by_name(name: str) -> None:
    action, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        action()
