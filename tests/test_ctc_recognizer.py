"""The recogniser: its laws with every cell, thinned out in time or not, its rates against plain counts, and what it refuses."""

import math
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from often import mixed
from torch import Tensor

from rnn_lightning import IGNORED, Batch, CTCRecognizer, NGram, PairModule, check_invariance, ctc_loss
from rnn_lightning.ctc import ShallowFusion
from rnn_lightning.recurrent import CELLS
from rnn_lightning.subsampling import Subsampling

LABELS = ["<blank>", "a", "b", " "]
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
THINNED = {"channels": 5, "stride": 2, "kernel": 5}


def build(cell: str = "lstm", *, ways: int = 1, **more: Any) -> CTCRecognizer:
    torch.manual_seed(0)
    rnn = {"cell": cell, "hidden_size": 4, "num_layers": 2, "bidirectional": ways == 2}
    standardize = {"mean": [0.5, -1.0, 2.0], "std": [1.0, 2.0, 0.5]}
    return CTCRecognizer(rnn, 3, LABELS, standardize=standardize, **more)


def draw(rows: int = 5, steps: int = 9, seed: int = 1) -> Tensor:
    return torch.randn(rows, steps, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("ways", [1, 2])
def test_a_recogniser_keeps_the_laws(cell: str, ways: int) -> None:
    check_invariance(build(cell, ways=ways, dropout=0.5), inputs=draw(), lengths=torch.tensor([9, 0, 4, 7, 1]))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("ways", [1, 2])
def test_thinned_out_it_reads_padding_and_rows_alike(cell: str, ways: int) -> None:
    model = build(cell, ways=ways, subsampling=THINNED).double().eval()
    inputs, lengths = draw().double(), torch.tensor([9, 0, 4, 7, 1])
    steps = model.steps(inputs, lengths)
    assert steps.tolist() == [5, 0, 2, 4, 1]
    whole, _ = model(inputs, lengths)
    grown = torch.cat([inputs, inputs.new_full((5, 4, 3), math.nan)], 1)
    grown[2, 4:] = math.nan
    again, _ = model(grown, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone, _ = model(inputs[row : row + 1, :length])
        assert alone.shape[1] == steps[row]
        torch.testing.assert_close(whole[row, : steps[row]], alone[0])
        torch.testing.assert_close(again[row, : steps[row]], alone[0])


@pytest.mark.parametrize(
    ("cell", "thinned", "chunk"),
    mixed([*CELLS], [(None, 1), (THINNED, 2), (THINNED, 4), ({"channels": 3, "stride": 3, "kernel": 3}, 3)]),
)
def test_a_stream_says_what_the_whole_says(cell: str, thinned: dict[str, int] | None, chunk: int) -> None:
    """Fed step by step, or stride by stride, a recogniser that reads one way says the same at every moment."""
    model = build(cell, subsampling=thinned).double().eval()
    inputs = draw(3, 11).double()
    whole, after = model(inputs)
    state, said = None, []
    for part in inputs.split(chunk, 1):
        log_probs, state = model(part, None, state)
        said.append(log_probs)
    torch.testing.assert_close(torch.cat(said, 1), whole)
    torch.testing.assert_close(state, after)


def test_subsampling_is_the_convolution_written_out() -> None:
    torch.manual_seed(0)
    thin = Subsampling(2, channels=3, stride=2, kernel=5)
    inputs = torch.randn(1, 7, 2)
    found, _, _ = thin(inputs, None, thin.start(inputs))
    read = np.concatenate([np.zeros((3, 2)), inputs[0].numpy(), np.zeros((1, 2))])
    weight, bias = thin.convolution.weight.detach().numpy(), thin.convolution.bias.detach().numpy()
    for step in range(4):
        window = read[2 * step : 2 * step + 5]  # it ends with the last of the step's two
        expected = np.maximum((weight * window.T).sum((1, 2)) + bias, 0)
        np.testing.assert_allclose(found[0, step].detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def edits(said: list[Any], right: list[Any]) -> int:
    """The least insertions, deletions and replacements between two sequences."""
    table = np.zeros((len(said) + 1, len(right) + 1), dtype=int)
    table[:, 0], table[0] = range(len(said) + 1), range(len(right) + 1)
    for row, one in enumerate(said, 1):
        for column, other in enumerate(right, 1):
            ways = table[row - 1, column] + 1, table[row, column - 1] + 1, table[row - 1, column - 1] + (one != other)
            table[row, column] = min(ways)
    return int(table[-1, -1])


def write_signals(folder: Path, rows: int = 40) -> Path:
    """Rows in which label 1, 2 or 3 is told by which feature is high, for two steps each; a row in five is too short."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        targets = [draws.integers(1, 4, draws.integers(1, 5)) for _ in range(rows)]
        signals = []
        for place, row in enumerate(targets):
            signal = np.zeros((3 * len(row), 3), dtype=np.float32)
            for at, label in enumerate(row):
                signal[3 * at : 3 * at + 2, label - 1] = 1
            signals.append(signal[: len(row) - 1] if place % 5 == 4 else signal)
        offsets = [np.concatenate([[0], np.cumsum([len(each) for each in some])]) for some in (signals, targets)]
        arrays = {"inputs": np.concatenate(signals), "input_offsets": offsets[0].astype(np.int64)}
        arrays |= {"targets": np.concatenate(targets).astype(np.int32), "target_offsets": offsets[1].astype(np.int64)}
        np.savez(folder / f"{split}.npz", **arrays)
    return folder


def fitted(model: CTCRecognizer, folder: Path, epochs: int = 1, **more: Any) -> tuple[lightning.Trainer, PairModule]:
    data = PairModule(write_signals(folder), batch_size=8, epochs=epochs)
    trainer = lightning.Trainer(accelerator="cpu", max_epochs=1, num_sanity_val_steps=0, **{**QUIET, **more})
    trainer.fit(model, data)
    return trainer, data


@pytest.mark.parametrize("unit", ["character", "word", "phoneme"])
def test_rates_are_edits_over_labels(unit: str, tmp_path: Path) -> None:
    model = build(unit=unit)
    trainer, data = fitted(model, tmp_path)
    (scores,) = trainer.test(model, data, verbose=False)
    wrong = total = wrong_words = words = infeasible = 0
    loss = labels = 0.0
    for batch in data.test_dataloader():
        found = model.recognize(batch.inputs, batch.lengths)
        said = model.sequences(found.labels[:, 0], found.lengths[:, 0])
        lengths = batch.target_lengths if batch.target_lengths is not None else torch.full((len(said),), batch.targets.shape[1])
        right = model.sequences(batch.targets, lengths)
        with torch.no_grad():
            losses = ctc_loss(model(batch.inputs, batch.lengths)[0], batch.targets, batch.lengths, lengths)
        infeasible += int(losses.isinf().sum())
        loss += float(losses[losses.isfinite()].sum())
        labels += float(lengths[losses.isfinite()].sum())
        for one, other in zip(said, right, strict=True):
            wrong, total = wrong + edits(one, other), total + len(other)
            texts = [model.text(row).split() for row in (one, other)]
            wrong_words, words = wrong_words + edits(*texts), words + len(texts[1])
    name = {"character": "cer", "word": "wer", "phoneme": "per"}[unit]
    assert scores[f"test/{name}"] == pytest.approx(wrong / total)
    assert scores["test/loss"] == pytest.approx(loss / labels, rel=1e-5)
    assert scores["test/infeasible"] == infeasible > 0
    if unit == "character":
        assert scores["test/wer"] == pytest.approx(wrong_words / words)


def test_it_learns_and_comes_back_from_its_checkpoint(tmp_path: Path) -> None:
    model = build(ways=2, unit="phoneme", optimizer={"name": "adam", "lr": 0.02})
    trainer, data = fitted(model, tmp_path, epochs=60)
    (scores,) = trainer.test(model, data, verbose=False)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = CTCRecognizer.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True)
    assert torch.equal(model.eval()(draw())[0], again.eval()(draw())[0])
    batch = next(iter(data.test_dataloader()))
    assert scores["test/loss"] < 0.1
    found = model.align(batch.inputs, batch.lengths, batch.targets, batch.target_lengths)
    rows = found.scores.isfinite().nonzero().flatten().tolist()
    assert rows
    for row in rows:
        for place, label in enumerate(model.sequences(batch.targets, batch.target_lengths)[row]):
            middle = int(found.starts[row, place] + found.ends[row, place] - 1) // 2
            assert abs(middle - (3 * place + 1)) <= 2, label  # said near where it is written


def test_what_cannot_be_said_is_counted_in_training_and_stops_nothing(tmp_path: Path) -> None:
    model = build()
    trainer, _ = fitted(model, tmp_path)
    assert trainer.callback_metrics["train/infeasible"] > 0
    assert all(bool(weight.isfinite().all()) for weight in model.parameters())
    hopeless = Batch(draw(2, 1), None, torch.tensor([[1, 2], [1, 1]]))
    loss, count = model.loss_on(hopeless, "train")
    assert (loss.item(), count) == (0.0, 0)


def test_a_language_model_decides_where_the_signal_does_not() -> None:
    model = build().eval()
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.tensor([1.0, 2.0, 2.0, 0.0]))
    grams = NGram([[2, 1, 2]] * 20, vocab_size=4, order=3, end=0)
    fusion = ShallowFusion(grams.step, grams.start, weight=3.0)
    found = model.recognize(draw(1, 3), beam_size=30, fusion=fusion)
    assert found.labels.tolist() == [[[2, 1, 2]]]


REFUSED = {
    "unit": (lambda: build(unit="letter"), r"unit must be one of \['character', 'phoneme', 'word'\], not 'letter'"),
    "blank": (lambda: build(blank=4), "blank must be a whole number of 0 to 3, not 4"),
    "twice": (
        lambda: CTCRecognizer({"cell": "gru", "hidden_size": 4}, 3, ["-", "a", "a"]),
        "labels must be a list of at least 2 names, all diff",
    ),
    "stride": (
        lambda: build(subsampling={"channels": 4, "stride": 3, "kernel": 2}),
        "kernel must be .* of at least 3, not 2",
    ),
    "key": (lambda: build(subsampling={"channels": 4, "strides": 3}), "subsampling 'convolution': .*'strides'"),
    "width": (lambda: build()(torch.zeros(1, 4, 2)), r"inputs must be floats of shape \(B, T, 3\), not torch.float32 of shape"),
    "NaN": (lambda: build()(torch.full((2, 4, 3), math.nan)), "the input at row 0, step 0 is nan; features must be finite"),
    "lengths": (lambda: build()(draw(2, 4), torch.tensor([5, 1])), r"lengths\[0\] is 5"),
    "beam": (lambda: build().recognize(draw(1, 2), n_best=2), "give a beam_size"),
    "target": (
        lambda: build().loss_on(Batch(draw(1, 4), None, torch.tensor([[1, 7]])), "train"),
        "target 7 in row 0, place 1: labels are 0..3 without the blank, 0",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_by_name(name: str) -> None:
    action, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        action()


def test_targets_may_be_padded_with_what_no_loss_counts() -> None:
    model = build()
    batch = Batch(draw(2, 6), None, torch.tensor([[1, 2, 3], [2, IGNORED, IGNORED]]), torch.tensor([3, 1]))
    loss, count = model.loss_on(batch, "val")
    assert count == 4 and math.isfinite(loss.item())
