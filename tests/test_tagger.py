"""The tagger: its laws, its numbers against naive ones, what training does to words, and what it refuses."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from corpora import CHARACTERS, TAGS, VOCABULARY, write_tagged
from often import mixed
from torch import Tensor

from rnn_lightning import IGNORED, AtomicCheckpointIO, Batch, Durable, PairModule, Tagger, check_invariance
from rnn_lightning.laws import read, reading_may_pause
from rnn_lightning.recurrent import CELLS

SPELLINGS: dict[str, dict[str, Any] | None] = {
    "words": None,
    "cnn": {"name": "cnn", "filters": 3, "widths": [1, 3], "embedding_size": 4},
    "rnn": {"name": "rnn", "embedding_size": 4, "rnn": {"cell": "lstm", "hidden_size": 3, "bidirectional": True}},
}
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
every_spelling = pytest.mark.parametrize("spelling", SPELLINGS)


def build(spelling: str = "rnn", cell: str = "lstm", *, ways: int = 2, layers: int = 1, **more: Any) -> Tagger:
    torch.manual_seed(0)
    rnn = {"cell": cell, "hidden_size": 4, "num_layers": layers, "bidirectional": ways == 2}
    plain = {"num_characters": CHARACTERS, "characters": SPELLINGS[spelling], "embedding_size": 5}
    return Tagger(VOCABULARY, TAGS, rnn, **{**plain, **more})


def draw(rows: int = 5, steps: int = 7, width: int = 6) -> Tensor:
    """Random words with words of random length."""
    draws = torch.Generator().manual_seed(0)
    words = torch.randint(0, VOCABULARY, (rows, steps, 1), generator=draws)
    lengths = torch.randint(0, width + 1, (rows, steps, 1), generator=draws)
    characters = torch.randint(1, CHARACTERS, (rows, steps, width), generator=draws)
    return torch.cat([words, characters.masked_fill(torch.arange(width) >= lengths, 0)], 2)


def trainer(**more: Any) -> lightning.Trainer:
    return lightning.Trainer(accelerator="cpu", max_epochs=1, **{**QUIET, **more})


@pytest.mark.parametrize(("cell", "ways", "spelling"), mixed([*CELLS], [1, 2], [*SPELLINGS]))
def test_a_tagger_keeps_the_laws(spelling: str, ways: int, cell: str) -> None:
    model = build(spelling, cell, ways=ways, layers=2, dropout=0.5, word_dropout=0.5)
    lengths = torch.tensor([7, 0, 3, 5, 1])
    check_invariance(model, inputs=draw(), lengths=lengths)
    if ways == 1:  # an encoder of characters that reads both ways reads no words ahead
        reader = model.double().eval()
        with torch.no_grad():
            whole = read(reader, draw(), lengths)
            assert reading_may_pause(reader, draw(), lengths, whole) < 1e-10


def test_a_tagger_of_words_alone_reads_them_with_and_without_their_spelling() -> None:
    model = build("words").eval()
    check_invariance(model)
    assert torch.equal(model(draw())[0], model(draw()[:, :, 0])[0])


@every_spelling
def test_padding_changes_no_bit_of_loss_and_gradients(spelling: str) -> None:
    lengths, targets = torch.tensor([7, 0, 3, 5, 1]), torch.randint(0, TAGS, (5, 7))
    padding = torch.arange(7) >= lengths.unsqueeze(1)
    filled = draw().masked_scatter(padding.unsqueeze(2), torch.randint(-9, 99, (5 * 7 * 7,)))
    outcomes = []
    for inputs in (draw(), filled):
        model = build(spelling)
        loss, count = model.loss_on(Batch(inputs, lengths, targets), "train")
        loss.backward()
        outcomes.append((loss, [parameter.grad for parameter in model.parameters()]))
        assert count == 16
    torch.testing.assert_close(outcomes[0], outcomes[1], rtol=0, atol=0)


@every_spelling
def test_wider_spelling_changes_little(spelling: str) -> None:
    model, inputs = build(spelling).double().eval(), draw()
    wider = torch.cat([inputs, torch.zeros(5, 7, 4, dtype=torch.int64)], 2)
    torch.testing.assert_close(model(inputs)[0], model(wider)[0], rtol=0, atol=1e-12)


@every_spelling
def test_metrics_weigh_every_word_alike_however_batched(spelling: str, tmp_path: Path) -> None:
    model = build(spelling)
    folder = write_tagged(tmp_path)
    whole = np.load(folder / "test.npz")
    rows = [slice(*ends) for ends in pairwise(whole["input_offsets"].tolist())]
    losses, right, known = [], [], []
    data = PairModule(folder, batch_size=7).dataset("test")
    model.eval()
    for row, place in enumerate(rows):
        if place.stop > place.start:
            with torch.no_grad():
                scores, _ = model(data[(row,)].inputs)
            tags = torch.from_numpy(whole["targets"][place]).long()
            losses += F.cross_entropy(scores[0], tags, reduction="none").tolist()
            right += (scores[0].argmax(1) == tags).tolist()
            known += (whole["inputs"][place] != 0).tolist()
    apart = {word: np.mean([hit for hit, other in zip(right, known, strict=True) if other == word]) for word in (True, False)}
    for batch_size in (7, 60):
        (metrics,) = trainer().test(model, PairModule(folder, batch_size=batch_size), verbose=False)
        assert metrics["test/loss"] == pytest.approx(np.mean(losses), abs=1e-5)
        assert metrics["test/accuracy"] == pytest.approx(np.mean(right), abs=1e-6)
        assert metrics["test/accuracy_known"] == pytest.approx(apart[True], abs=1e-6)
        assert metrics["test/accuracy_unknown"] == pytest.approx(apart[False], abs=1e-6)


def test_without_unknown_words_nothing_is_told_apart(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        arrays = dict(np.load(write_tagged(tmp_path / "all") / f"{split}.npz"))
        np.savez(tmp_path / f"{split}.npz", **{**arrays, "inputs": np.maximum(arrays["inputs"], 1)})
    (metrics,) = trainer().test(build(), PairModule(tmp_path, batch_size=20), verbose=False)
    assert sorted(metrics) == ["test/accuracy", "test/loss"]


def test_word_dropout_hides_words_in_training_alone_and_leaves_their_spelling() -> None:
    model = build("words", word_dropout=0.3)
    words = torch.randint(1, VOCABULARY, (400, 50))
    unknown = model.embedding.weight.detach()[0]
    embedded = model.embed(words)
    hidden = (embedded == unknown).all(2)
    assert float(hidden.float().mean()) == pytest.approx(0.3, abs=0.01)
    torch.testing.assert_close(embedded[~hidden], model.embedding(words)[~hidden])
    assert torch.equal(model.eval().embed(words), model.embedding(words))
    spelled = build("cnn", word_dropout=0.9)
    assert torch.equal(spelled.embed(draw())[:, :, 5:], spelled.spelling.read_each_once(draw()[:, :, 1:]))


def test_draws_are_a_function_of_seed_and_step(tmp_path: Path) -> None:
    """A training that goes on from a checkpoint ends with the weights of one that was not interrupted."""
    folder = write_tagged(tmp_path / "data")

    class Stop(lightning.Callback):
        def on_train_batch_end(self, trainer: lightning.Trainer, *rest: Any) -> None:
            if trainer.global_step == 4:
                trainer.save_checkpoint(tmp_path / "middle.ckpt")

    def fit(name: str, **more: Any) -> Tagger:
        model = build(dropout=0.3, word_dropout=0.3)
        data = PairModule(folder, batch_size=10, seed=1, epochs=2)
        callbacks = [Stop(), Durable(tmp_path / name, seed=1, every_seconds=1e9)]
        settings = {"plugins": [AtomicCheckpointIO()], "callbacks": callbacks, "num_sanity_val_steps": 0}
        trainer(val_check_interval=6, **settings).fit(model, data, **more)
        return model

    whole = fit("whole")
    torch.manual_seed(5)
    again = fit("again", ckpt_path=tmp_path / "middle.ckpt", weights_only=True)
    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), again.parameters(), strict=True))


def test_a_tagger_learns_a_tag_that_only_the_last_letter_tells() -> None:
    draws = torch.Generator().manual_seed(1)
    spelling = torch.randint(1, CHARACTERS, (64, 6, 4), generator=draws)
    inputs = torch.cat([torch.zeros(64, 6, 1, dtype=torch.int64), spelling], 2)
    batch = Batch(inputs, None, spelling[:, :, -1] % 3)
    for name in ("cnn", "rnn"):
        model = build(name, optimizer={"name": "adam", "lr": 0.05})
        optimizer = model.configure_optimizers()
        for _ in range(60):
            optimizer.zero_grad()
            model.loss_on(batch, "train")[0].backward()
            optimizer.step()
        assert float((model.eval().tag(inputs) == batch.targets).float().mean()) > (0.97 if name == "rnn" else 0.6)


@pytest.mark.parametrize("vectors", ["tuned", "frozen"])
def test_vectors_start_the_embedding_and_are_not_needed_again(vectors: str, tmp_path: Path) -> None:
    model = build(vectors=vectors)
    before = model.embedding.weight.detach().clone()
    matrix, found = torch.randn(VOCABULARY, 5), torch.arange(VOCABULARY) % 2 == 1
    model.load_vectors(matrix, found)
    assert torch.equal(model.embedding.weight, torch.where(found.unsqueeze(1), matrix, before))
    fitted = trainer(limit_train_batches=2, limit_val_batches=0)
    fitted.fit(model, PairModule(write_tagged(tmp_path), batch_size=20))
    changed = not torch.equal(model.embedding.weight, torch.where(found.unsqueeze(1), matrix, before))
    assert changed == (vectors == "tuned")
    fitted.save_checkpoint(tmp_path / "model.ckpt")
    again = Tagger.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True)
    assert torch.equal(again.embedding.weight, model.embedding.weight)
    assert again.embedding.weight.requires_grad == (vectors == "tuned")


def test_empty_and_endless_sentences_and_words_are_legal() -> None:
    model = build().eval()
    assert model.tag(torch.zeros(2, 0, 1, dtype=torch.int64)).shape == (2, 0)
    assert model.tag(draw(2, 3), torch.tensor([0, 0])).tolist() == [[IGNORED] * 3] * 2
    assert model.tag(draw(1, 5000)).shape == (1, 5000)
    loss, count = model.loss_on(Batch(draw(2, 3), torch.tensor([0, 0]), torch.full((2, 3), IGNORED)), "val")
    assert (loss.item(), count) == (0.0, 0)


LSTM = {"cell": "lstm", "hidden_size": 4}


def with_number(number: int, at: int) -> Tensor:
    """A batch with ``number`` as the word (``at`` 0) or a character of the last step."""
    inputs = draw(2, 3)
    inputs[1, 2, at] = number
    return inputs


REFUSED = {
    "tags": (lambda: Tagger(9, 0, LSTM), "num_tags must be a whole number of at least 1, not 0"),
    "output": (lambda: Tagger(9, 3, LSTM, output="crv"), r"output must be one of .*'softmax'.*, not 'crv'"),
    "vectors": (
        lambda: Tagger(9, 3, LSTM, vectors="fixed"),
        r"vectors must be one of \['tuned', 'frozen'\], not 'fixed'",
    ),
    "dropout": (lambda: Tagger(9, 3, LSTM, word_dropout=1.0), r"word_dropout must be a number in \[0, 1\), not 1.0"),
    "number": (lambda: Tagger(9, 3, LSTM, characters={"name": "cnn"}), "give num_characters"),
    "word": (lambda: build()(with_number(20, 0)), r"word 20 in row 1, step 2: words are 0\.\.19"),
    "negative": (lambda: build("words")(with_number(-1, 0)), "word -1 in row 1, step 2"),
    "character": (lambda: build()(with_number(12, 4)), r"character 12 in row 1, step 2: characters are 0\.\.11"),
    "unspelled": (lambda: build()(draw()[:, :, 0]), r"shape \(B, T, 1 \+ C\), words and their characters, not .* \(5, 7\)"),
    "floats": (lambda: build("words")(torch.rand(2, 3)), r"inputs must be int64 of shape \(B, T\) or .* not torch.float32"),
    "length": (lambda: build()(draw(), torch.tensor([8, 1, 1, 1, 1])), r"lengths\[0\] is 8"),
    "targets": (
        lambda: build().loss_on(Batch(draw(), None, torch.zeros(5, 6, dtype=torch.int64)), "train"),
        r"targets must be one a word, \(5, 7\), not \(5, 6\)",
    ),
    "target": (lambda: build().loss_on(Batch(draw(), None, torch.full((5, 7), 5)), "train"), "target 5 in row 0, step 0"),
    "matrix": (lambda: build().load_vectors(torch.zeros(20, 6), torch.ones(20) > 0), r"shape \(20, 5\), not \(20, 6\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_by_name(name: str) -> None:
    action, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        action()
