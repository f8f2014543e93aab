"""Convolutions over pictures before a recogniser: their plain form, the laws of padding, exact lengths and costs, refusals."""

import math
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from run_folders import run_by_stages
from torch import Tensor

from rnn_lightning import (
    Batch,
    CTCRecognizer,
    PairModule,
    Seq2Seq,
    Transducer,
    count_parameters,
    ctc_loss,
    flops_per_step,
    hidden_size_for,
    load_predictor,
    prepared,
)
from rnn_lightning.export import export_run
from rnn_lightning.export.kinds import one_graph
from rnn_lightning.pictures import PictureSubsampling
from rnn_lightning.runtime import load

HEIGHT = 7
PICTURES = {"name": "pictures", "channels": [3, 4], "pool": [[2, 2], [3, 2]]}
LENGTHS = [11, 0, 4, 7, 1]
TINY = ["task=strokes_pictures", "rnn=lstm", "task.corpus.rows={train: 20, validation: 10, test: 6}", "task.training.epochs=1"]
TINY += ["task.data.batch_size=5", "task.training.validate_every=2", "task.parameters=null", "task.rnn.hidden_size=4"]


def build(ways: int = 2, **more: Any) -> CTCRecognizer:
    torch.manual_seed(0)
    rnn = {"cell": "lstm", "hidden_size": 4, "bidirectional": ways == 2}
    return CTCRecognizer(rnn, HEIGHT, ["<blank>", "a", "b"], **{"subsampling": PICTURES, **more})


def draw(rows: int = 5, steps: int = 11) -> Tensor:
    return torch.randn(rows, steps, HEIGHT, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def front(**changes: Any) -> PictureSubsampling:
    torch.manual_seed(0)
    thin = PictureSubsampling(HEIGHT, **{"channels": [3, 4], "pool": [[2, 2], [3, 2]], **changes}).double()
    for block in thin.blocks:
        for weight in (block.gain, block.shift):
            torch.nn.init.normal_(weight)
    return thin


def plain(thin: PictureSubsampling, picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """One picture (T, H), pixel by pixel."""
    maps = picture[None]  # (C, T, H)
    for block in thin.blocks:
        weight, bias, gain, shift = (each.detach().numpy() for each in (block.weight, block.bias, block.gain, block.shift))
        padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
        found = np.zeros((len(weight), maps.shape[1], maps.shape[2]))
        for channel, time, row in np.ndindex(found.shape):
            found[channel, time, row] = (weight[channel] * padded[:, time : time + 3, row : row + 3]).sum() + bias[channel]
        for column in found.transpose(1, 0, 2):
            column[:] = gain[:, None] * (column - column.mean()) / np.sqrt(column.var() + 1e-5) + shift[:, None]
        found = np.where(found > 0, found, 0.01 * found)
        high, wide = cast(tuple[int, int], block.pool)
        maps = np.zeros((len(weight), math.ceil(found.shape[1] / wide), math.ceil(found.shape[2] / high)))
        for channel, time, row in np.ndindex(maps.shape):
            maps[channel, time, row] = found[channel, wide * time : wide * (time + 1), high * row : high * (row + 1)].max()
    return maps.transpose(1, 0, 2).reshape(maps.shape[1], -1)


@pytest.mark.parametrize("pool", [[[2, 2], [3, 2]], [[1, 1], [2, 3]], [[9, 4], [1, 1]]])
def test_it_is_the_convolutions_written_out(pool: list[list[int]]) -> None:
    thin = front(pool=pool)
    for steps in (1, 2, 5, 9):
        picture = draw(1, steps)
        found, lengths, _ = thin(picture, None, thin.start(picture))
        assert lengths is None and found.shape == (1, math.ceil(steps / thin.stride), thin.output_size)
        np.testing.assert_allclose(found[0].detach().numpy(), plain(thin, picture[0].numpy()), atol=1e-12)


def test_padding_and_other_rows_change_nothing_and_lengths_are_exact() -> None:
    model = build().double().eval()
    inputs, lengths = draw(), torch.tensor(LENGTHS)
    steps = model.steps(inputs, lengths)
    assert steps.tolist() == [3, 0, 1, 2, 1]
    whole, _ = model(inputs, lengths)
    grown = torch.cat([inputs, inputs.new_full((5, 6, HEIGHT), math.nan)], 1)
    for row, length in enumerate(LENGTHS):
        grown[row, length:] = math.nan
    again, _ = model(grown, lengths)
    moved, _ = model(inputs.flip(0), lengths.flip(0))
    for row, length in enumerate(LENGTHS):
        alone, _ = model(inputs[row : row + 1, :length])
        assert alone.shape[1] == steps[row]
        for batched in (whole, again, moved.flip(0)):
            torch.testing.assert_close(batched[row, : steps[row]], alone[0], rtol=0, atol=1e-12)


def test_gradients_are_those_of_rows_alone_and_of_differences() -> None:
    thin = front(channels=[2, 2])
    inputs, lengths = draw(3, 5).requires_grad_(), torch.tensor([5, 0, 2])
    weights = [*thin.parameters()]

    def outputs(inputs: Tensor, *_: Tensor) -> Tensor:
        return thin(inputs, lengths, thin.start(inputs))[0]

    assert torch.autograd.gradcheck(outputs, (inputs, *weights))
    found = torch.autograd.grad(outputs(inputs).square().sum(), [inputs, *weights])
    assert not found[0][1].any() and not found[0][2, 2:].any()
    rows = [inputs[row : row + 1, :length] for row, length in enumerate(lengths.tolist()) if length]
    alone = torch.stack([thin(row, None, thin.start(row))[0].square().sum() for row in rows]).sum()
    for one, other in zip(found, torch.autograd.grad(alone, [inputs, *weights]), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_targets_too_long_for_what_is_left_are_counted() -> None:
    model = build()
    batch = Batch(draw().float(), torch.tensor(LENGTHS), torch.tensor([[1, 2, 1], [1, 1, 1], [2, 2, 2], [1, 1, 1], [1, 1, 1]]))
    counts = torch.tensor([3, 1, 1, 2, 1])
    batch = batch._replace(target_lengths=counts)
    model.loss_on(batch, "train")
    assert model.metric("train", "infeasible").compute() == 2  # no step is left for one, and no blank between two alike
    losses = ctc_loss(model(batch.inputs, batch.lengths)[0], batch.targets, torch.tensor([3, 0, 1, 2, 1]), counts)
    assert losses.isfinite().tolist() == [True, False, True, False, True]


def test_parameters_and_flops_are_counted_exactly() -> None:
    model = build()
    thin = model.subsampling
    assert isinstance(thin, PictureSubsampling)
    blocks = (9 * 1 * 3 + 3) + 2 * 3 + (9 * 3 * 4 + 4) + 2 * 4
    assert count_parameters(thin) == blocks and thin.output_size == 4 * 2
    multiplied = 0  # products of a step that is left: a step of 4 columns of 7 pixels, then 2 columns of 4
    for channels, columns, height in ((1 * 3, 4, 7), (3 * 4, 2, 4)):
        multiplied += sum(9 * channels for _ in product(range(columns), range(height)))
    assert flops_per_step(thin) == 2 * multiplied
    assert flops_per_step(model) == 2 * multiplied + flops_per_step(model.network) + flops_per_step(model.output)
    size = hidden_size_for("gru", build=sized, parameters=5000)
    nearest = min(range(10, 40), key=lambda size: abs(count_parameters(sized(size)) - 5000))
    assert size == nearest


def sized(hidden_size: int) -> CTCRecognizer:
    return CTCRecognizer({"cell": "gru", "hidden_size": hidden_size}, HEIGHT, ["-", "a"], subsampling=PICTURES)


def test_a_checkpoint_and_a_folder_bring_it_back(tmp_path: Path) -> None:
    model = build().eval()
    model.save_pretrained(tmp_path)
    again = CTCRecognizer.from_pretrained(tmp_path)
    assert torch.equal(model(draw().float())[0], again(draw().float())[0])


def test_prepared_it_answers_alike() -> None:
    model, inputs, lengths = build().eval(), draw().float(), torch.tensor(LENGTHS)
    expected = model(inputs, lengths)[0]
    for weights, tolerance in (("float32", 1e-5), ("bfloat16", 0.05)):
        found = prepared(model, weights)(inputs, lengths)[0]
        for row, steps in enumerate(model.steps(inputs, lengths).tolist()):
            torch.testing.assert_close(found[row, :steps], expected[row, :steps], rtol=0, atol=tolerance)


def test_its_graph_keeps_no_state_and_is_that_of_whole_pictures() -> None:
    (graph,) = one_graph(build(ways=1).eval()).values()
    assert graph.state_sizes == []  # its numbers are compared in test_export.py


@pytest.mark.slow
def test_a_run_reads_files_of_pictures_and_so_does_its_export(tmp_path: Path) -> None:
    with run_by_stages(tmp_path, TINY) as run:
        model = CTCRecognizer.load_from_checkpoint(run / "model.ckpt").eval()
        assert isinstance(model.subsampling, PictureSubsampling)
        columns = PairModule("data/processed/strokes_pictures", batch_size=4).dataset("test")[(0, 1, 2)]
        files = [str(tmp_path / f"{row}.png") for row in range(3)]
        for file, picture, length in zip(files, columns.inputs, columns.lengths.tolist(), strict=True):
            ink = np.rint(255 * picture[:length].numpy().T).astype(np.uint8)
            Image.fromarray(255 - ink).save(file)
        found = model.recognize(columns.inputs, columns.lengths)
        texts = [model.text(row) for row in model.sequences(found.labels[:, 0], found.lengths[:, 0])]
        export_run(run, tmp_path / "exported")
        for predictor in (load_predictor(run), load(tmp_path / "exported")):
            answers = predictor(files)
            assert [answer["text"] for answer in answers] == texts
            scores = [answer["score"] for answer in answers]
            np.testing.assert_allclose(scores, found.scores[:, 0].numpy(), rtol=1e-4)


def test_it_stands_before_other_recognisers_of_signals() -> None:
    torch.manual_seed(0)
    labels, rnn = ["-", "a", "b"], {"cell": "gru", "hidden_size": 4}
    inputs, lengths = draw().float(), torch.tensor([11, 2, 4, 7, 1])
    targets = torch.tensor([[1, 2]] * 5)
    for system in (
        Transducer(rnn, HEIGHT, labels, subsampling=PICTURES),
        Seq2Seq(input_size=HEIGHT, rnn=rnn, labels=labels, unit="character", subsampling=PICTURES),
    ):
        loss, _ = system.loss_on(Batch(inputs, lengths, targets), "train")
        longer = torch.cat([inputs, torch.full((5, 4, HEIGHT), math.nan)], 1)
        torch.testing.assert_close(system.loss_on(Batch(longer, lengths, targets), "train")[0], loss)


def changed(**changes: Any) -> Any:
    return lambda: build(subsampling={**PICTURES, **changes})


def go_on() -> None:
    model = build(ways=1)
    model(draw(2, 4).float(), None, model(draw(2, 4).float())[1])


def read_stream() -> None:
    Transducer({"cell": "gru", "hidden_size": 4}, HEIGHT, ["-", "a"], subsampling=PICTURES).stream(draw(1, 4).float())


REFUSED = {
    "name": (changed(name="picture"), r"subsampling name must be one of \['convolution', 'pictures'\], not 'picture'"),
    "key": (changed(stride=2), "subsampling 'pictures': there is no setting 'stride'; its settings are .*'channels', 'pool'"),
    "number": (changed(channels=3), "channels must be a list of one number or more, one a block, not 3"),
    "none": (changed(channels=[], pool=[]), "channels must be a list of one number or more, one a block, not "),
    "channel": (changed(channels=[3, 0]), "channels must be a whole number of at least 1, not 0"),
    "blocks": (changed(pool=[[2, 2]]), r"pool must have \[height, time\] for each of 2 blocks, not \[\[2, 2\]\]"),
    "sides": (changed(pool=[2, 2]), r"pool must have \[height, time\] for each of 2 blocks, not \[2, 2\]"),
    "height": (changed(pool=[[2, 2], [0, 1]]), "pool_height must be a whole number of at least 1, not 0"),
    "time": (changed(pool=[[2, 2], [1, "2"]]), "pool_time must be a whole number of at least 1, not '2'"),
    "state": (go_on, "subsampling 'pictures' sees columns ahead, .* nor go on from a state: give whole pictures"),
    "stream": (read_stream, "subsampling 'pictures' sees columns ahead, so that reading can neither pause"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_cannot_do_is_refused_by_name(name: str) -> None:
    action, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        action()
