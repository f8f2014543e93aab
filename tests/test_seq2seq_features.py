"""Encoder-decoders of features: equal to those of tokens whose embeddings they read, blind to padding, exact in search."""

from pathlib import Path

import lightning
import pytest
import torch
from corpora import write_signals

from rnn_lightning import Batch, CTCRecognizer, PairModule, Seq2Seq, check_invariance
from rnn_lightning.search import exhaustive_search

END, TARGETS, WIDTH = 3, 5, 5
LENGTHS, TARGET_LENGTHS = torch.tensor([6, 1, 4]), torch.tensor([2, 5, 3])
RNN = {"cell": "lstm", "hidden_size": 6}
BOTH_WAYS = {"encoder": {"bidirectional": True}, "embedding_size": WIDTH}
THIN = {"channels": 4, "stride": 2, "kernel": 3}
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


def model(**more) -> Seq2Seq:
    torch.manual_seed(0)
    system = Seq2Seq(None, TARGETS, RNN, end=END, input_size=WIDTH, **BOTH_WAYS, **more)
    for parameter in system.parameters():
        parameter.data *= 2  # so that sequences differ in more than rounding
    return system.double().eval()


def batch() -> Batch:
    draws = torch.Generator().manual_seed(1)
    sources = torch.randn(3, 6, WIDTH, generator=draws, dtype=torch.float64)
    targets = torch.randint(0, END, (3, 5), generator=draws)
    targets[torch.arange(3), TARGET_LENGTHS - 1] = END
    return Batch(sources, LENGTHS, targets, TARGET_LENGTHS)


@pytest.mark.parametrize("attention, feeding", [("general", False), ("additive", True), (None, False)])
def test_features_that_are_rows_of_an_embedding_read_as_its_tokens(attention: str | None, feeding: bool) -> None:
    torch.manual_seed(0)
    tokens = Seq2Seq(9, TARGETS, RNN, end=END, attention=attention, input_feeding=feeding, **BOTH_WAYS).double().eval()
    features = model(attention=attention, input_feeding=feeding)
    features.load_state_dict({key: part for key, part in tokens.state_dict().items() if key != "embedding.weight"})
    read = torch.randint(0, 9, (3, 6), generator=torch.Generator().manual_seed(2))
    pairs = batch()._replace(inputs=read)
    rows = pairs._replace(inputs=tokens.embedding(read).detach())
    assert torch.equal(features.loss_on(rows, "val")[0], tokens.loss_on(pairs, "val")[0])
    found, known = (one.translate(each.inputs, LENGTHS, beam_size=3) for one, each in ((features, rows), (tokens, pairs)))
    torch.testing.assert_close(found._asdict(), known._asdict(), rtol=0, atol=0)


def test_the_encoder_keeps_the_laws() -> None:
    check_invariance(model(standardize={"mean": [1.0] * WIDTH, "std": [2.0] * WIDTH}))
    check_invariance(Seq2Seq(None, TARGETS, RNN, end=END, input_size=WIDTH))


@pytest.mark.parametrize("subsampling", [None, THIN])
def test_padding_changes_neither_loss_nor_gradient_nor_search(subsampling: dict | None) -> None:
    system, pairs = model(subsampling=subsampling), batch()
    losses, gradients, found = [], [], []
    for padded in (0, 3):
        more = torch.full((3, padded, WIDTH), torch.nan, dtype=torch.float64)
        longer = pairs._replace(inputs=torch.cat([pairs.inputs, more], 1))
        system.zero_grad()
        loss, _ = system.loss_on(longer, "val")
        loss.backward()
        losses.append(loss.detach())
        gradients.append([parameter.grad.clone() for parameter in system.parameters()])
        found.append(system.translate(longer.inputs, LENGTHS, beam_size=3, max_length=6)._asdict())
    torch.testing.assert_close(losses[1], losses[0])
    torch.testing.assert_close(gradients[1], gradients[0])
    torch.testing.assert_close(found[1], found[0])


@pytest.mark.parametrize("subsampling", [None, THIN])
def test_a_wide_beam_finds_what_enumeration_finds(subsampling: dict | None) -> None:
    system, pairs = model(subsampling=subsampling), batch()
    found = system.translate(pairs.inputs, LENGTHS, beam_size=TARGETS**3, n_best=4, max_length=4)
    memory = system.encode(pairs.inputs, LENGTHS)
    first = torch.full((3,), END)
    exact = exhaustive_search(system.stepper(memory), system.decoder.start(memory), first, end=END, max_length=4, n_best=4)
    for row in range(3):
        for rank, size in enumerate(exact.lengths[row].tolist()):
            assert found.tokens[row, rank, :size].tolist() == exact.tokens[row, rank, :size].tolist()
    torch.testing.assert_close(found.log_probs, exact.log_probs)


def test_labels_have_their_end_put_behind_them() -> None:
    labels = ["<blank>", "a", "b", " "]
    torch.manual_seed(0)
    named = Seq2Seq(rnn=RNN, input_size=WIDTH, labels=labels, unit="character").eval()
    plain = Seq2Seq(None, 4, RNN, end=0, input_size=WIDTH).eval()
    plain.load_state_dict(named.state_dict())
    inputs = batch().inputs.float()
    without = Batch(inputs, LENGTHS, torch.tensor([[1, 2, 3], [1, 0, 0], [2, 2, 0]]), torch.tensor([3, 0, 2]))
    with_end = Batch(inputs, LENGTHS, torch.tensor([[1, 2, 3, 0], [0, 0, 0, 0], [2, 2, 0, 0]]), torch.tensor([4, 1, 3]))
    (loss, count), (expected, known) = named.loss_on(without, "val"), plain.loss_on(with_end, "val")
    assert torch.equal(loss, expected) and count == known == 8
    assert torch.equal(named.log_probabilities(without), plain.log_probabilities(with_end))
    assert named.text([1, 3, 2]) == "a b"
    more = Batch(inputs[[0, 1, 2, 0]], LENGTHS[[0, 1, 2, 0]], *targets_and_one_left_out(without))
    loss_of_three, still = named.loss_on(more, "val")
    torch.testing.assert_close(loss_of_three, expected)
    assert still == 8


def targets_and_one_left_out(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The targets of ``batch`` and of a row whose targets all count nowhere, and their lengths."""
    assert batch.target_lengths is not None
    return torch.cat([batch.targets, torch.full((1, 3), -100)]), torch.cat([batch.target_lengths, torch.tensor([3])])


def test_errors_are_counted_as_a_recognizer_counts_them(tmp_path: Path) -> None:
    labels = write_signals(tmp_path)
    torch.manual_seed(0)
    system = Seq2Seq(rnn=RNN, input_size=2, labels=labels, unit="word", subsampling=THIN)
    trainer = lightning.Trainer(accelerator="cpu", max_epochs=30, **QUIET)
    trainer.fit(system, data := PairModule(tmp_path, batch_size=8))
    (measured,) = trainer.test(system, data, verbose=False)
    assert set(measured) == {"test/loss", "test/wer", "test/perplexity"} and measured["test/wer"] < 0.5
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = Seq2Seq.load_from_checkpoint(tmp_path / "model.ckpt").eval()
    inputs = torch.randn(2, 7, 2)
    torch.testing.assert_close(again.translate(inputs)._asdict(), system.eval().translate(inputs)._asdict())


def settings(**changed) -> dict:
    return {"rnn": RNN, "input_size": 2, "labels": ["-", "a"], "unit": "word"} | changed


REFUSED = {
    "no source": (
        settings(input_size=None),
        "a source is tokens or features: give .*, not None and None",
    ),
    "two sources": (settings(vocab_size=9), "give vocab_size or input_size, not 9 and 2"),
    "thin tokens": (settings(vocab_size=9, input_size=None, subsampling=THIN), "subsampling is for features"),
    "scaled tokens": (
        settings(vocab_size=9, input_size=None, standardize={"mean": [], "std": []}),
        "standardize is for features",
    ),
    "shared": (settings(shared=True), "shared embeddings need the same tokens on both sides, not None and 2"),
    "no unit": (settings(unit=None), r"unit must be one of \['character', 'phoneme', 'word'\], not None"),
    "unit of none": (settings(labels=None, target_vocab_size=3, end=0), "unit says what a label is, and there are no labels"),
    "both": (settings(target_vocab_size=2), "labels say how many target tokens there are: leave out target_vocab_size, 2"),
    "no targets": (settings(labels=None, unit=None, end=0), "target_vocab_size must be a whole number of at least 1, not None"),
    "no end": (settings(labels=None, unit=None, target_vocab_size=3), "end must be a whole number of 0 to 2, not None"),
    "rnn": (settings(rnn=None), "rnn must be a dict of keywords of build_network, not None"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_go_together_is_refused(name: str) -> None:
    keywords, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        Seq2Seq(**keywords)


def test_a_label_that_is_the_end_is_refused_with_its_place() -> None:
    system = Seq2Seq(**settings())
    pairs = Batch(torch.zeros(2, 3, 2), None, torch.tensor([[1, 1], [1, 0]]))
    with pytest.raises(ValueError, match="target 0 in row 1, step 1 is the end, which is put behind each target: leave it out"):
        system.loss_on(pairs, "train")
    with pytest.raises(ValueError, match="the target tokens have no names"):
        model().text([1])


def test_the_same_files_train_a_recognizer(tmp_path: Path) -> None:
    labels = write_signals(tmp_path)
    trainer = lightning.Trainer(accelerator="cpu", fast_dev_run=True, **QUIET)
    trainer.fit(CTCRecognizer(RNN, 2, labels, unit="word"), PairModule(tmp_path, batch_size=8))
