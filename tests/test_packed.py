"""Packed documents: one behind the other without padding, read as if each stood alone."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from corpora import VOCABULARY, write_stream

from rnn_lightning import IGNORED, Batch, LanguageModel, StreamModule
from rnn_lightning.regularize import change_penalty


def packed(folder: Path, *, rows: int, steps: int, **more: int) -> StreamModule:
    return StreamModule(write_stream(folder), batch_size=rows, steps=steps, joined=False, packed=True, **more)


def model(cell: str) -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(VOCABULARY, {"cell": cell, "hidden_size": 6, "num_layers": 2}, 5).double()


def documents(folder: Path) -> list[np.ndarray]:
    arrays = np.load(folder / "train.npz")
    return [arrays["tokens"][first:last] for first, last in itertools.pairwise(arrays["documents"]) if last - first > 1]


@pytest.mark.parametrize("rows", [1, 4, 7])
@pytest.mark.parametrize("steps", [3, 1000])
def test_every_token_but_the_first_of_each_document_is_a_target_once_and_nothing_is_padding(
    tmp_path: Path, rows: int, steps: int
) -> None:
    dataset = packed(tmp_path, rows=rows, steps=steps).dataset("train")
    expected = Counter(pair for document in documents(tmp_path) for pair in itertools.pairwise(document.tolist()))
    for epoch in (0, 1):
        found: Counter[tuple[int, int]] = Counter()
        for name in dataset.order(1, epoch):
            batch = dataset[name]
            counted = batch.targets != IGNORED
            found.update(zip(batch.inputs[counted].tolist(), batch.targets[counted].tolist(), strict=True))
            assert bool(counted[:-1].all()) or rows == 7  # only the last columns may be shorter
        assert found == expected


@pytest.mark.parametrize("cell", ["lstm", "gru", "layernorm_lstm", "mingru"])
def test_packed_documents_have_the_loss_and_the_gradients_of_documents_read_apart(tmp_path: Path, cell: str) -> None:
    dataset, system = packed(tmp_path, rows=1, steps=1000).dataset("train"), model(cell)
    (name,) = dataset.order(1, 0)
    packed_loss, count = system.loss_on(dataset[name], "train")
    packed_loss.backward()
    found = {name: weight.grad.clone() for name, weight in system.named_parameters() if weight.grad is not None}
    system.zero_grad()
    total = torch.zeros(())
    for document in documents(tmp_path):
        tokens = torch.from_numpy(document.astype(np.int64)).unsqueeze(0)
        loss, tokens_in = system.loss_on(Batch(tokens[:, :-1], None, tokens[:, 1:]), "train")
        total = total + loss * tokens_in
    (total / count).backward()
    assert packed_loss.item() == pytest.approx(total.item() / count, rel=1e-12)
    for name, weight in system.named_parameters():
        if name in found:
            torch.testing.assert_close(found[name], weight.grad, rtol=1e-9, atol=1e-12)


def test_a_document_goes_on_in_the_next_batch_from_the_state_that_it_had(tmp_path: Path) -> None:
    long, short, losses = packed(tmp_path, rows=3, steps=1000), packed(tmp_path, rows=3, steps=4), []
    for data in (long, short):
        system, dataset = model("lstm").eval(), data.dataset("train")
        parts = [system.loss_on(dataset[name], "train") for name in dataset.order(1, 0)]
        losses.append(sum(loss.item() * count for loss, count in parts))
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


def test_the_order_is_a_function_of_seed_and_epoch(tmp_path: Path) -> None:
    first, again = (packed(tmp_path, rows=2, steps=5).dataset("train") for _ in range(2))

    def read(dataset, seed: int, epoch: int) -> list[int]:
        return torch.cat([dataset[name].inputs.flatten() for name in dataset.order(seed, epoch)]).tolist()

    assert read(first, 1, 0) == read(again, 1, 0)
    assert len({tuple(read(first, seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4


def test_validation_and_test_cut_no_document(tmp_path: Path) -> None:
    data = packed(tmp_path, rows=4, steps=1000)
    apart = StreamModule(tmp_path, batch_size=4, steps=1000, joined=False)
    for split in ("validation", "test"):
        for name in data.dataset(split).in_order():
            assert torch.equal(data.dataset(split)[name].targets, apart.dataset(split)[name].targets)


def test_a_change_from_one_document_to_the_next_is_not_penalised() -> None:
    outputs, fresh = torch.randn(2, 7, 3), torch.zeros(2, 7, dtype=torch.bool)
    fresh[0, 4] = fresh[1, 1] = True
    changes = [outputs[0, :4].diff(dim=0), outputs[0, 4:].diff(dim=0), outputs[1, 1:].diff(dim=0)]
    assert change_penalty(outputs, None, fresh).item() == pytest.approx(torch.cat(changes).square().mean().item(), rel=1e-5)


def test_joined_text_has_no_documents_to_pack(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="joined=false"):
        StreamModule(write_stream(tmp_path), batch_size=2, steps=3, packed=True)


def test_fresh_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2,\) or \(2, 5\), .*, not torch.bool of shape \(2, 4\)"):
        Batch.of({"inputs": torch.zeros(2, 5, dtype=torch.int64), "fresh": torch.zeros(2, 4, dtype=torch.bool)})
