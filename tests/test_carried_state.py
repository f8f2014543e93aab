"""A language model's state: carried where a batch says that it goes on, and nowhere else."""

from pathlib import Path

import lightning
import pytest
import torch
from corpora import VOCABULARY, write_stream

from rnn_lightning import IGNORED, Batch, LanguageModel, StreamModule
from rnn_lightning.sequences import map_state

QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
SPLITS = ("train", "val", "test")


def model(cell: str = "lstm", **more) -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(VOCABULARY, {"cell": cell, "hidden_size": 6, "num_layers": 2}, 5, **more).double()


def tokens(rows: int = 3, steps: int = 8) -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (rows, steps), generator=torch.Generator().manual_seed(rows))


def losses(system: LanguageModel, batches: list[Batch], split: str) -> list[float]:
    return [system.loss_on(batch, split)[0].item() for batch in batches]


def goes_on(part: torch.Tensor, fresh: bool = False) -> Batch:
    return Batch(part, None, part, fresh=torch.full((len(part),), fresh))


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "layernorm_lstm"])
def test_rows_that_go_on_are_read_as_in_one_go(cell: str, split: str) -> None:
    system, text = model(cell), tokens()
    first, *rest = text.split(2, 1)
    parts = losses(system, [goes_on(first, fresh=True), *map(goes_on, rest)], split)
    logits, state = system(text)
    whole = torch.nn.functional.cross_entropy(logits.flatten(0, 1), text.flatten()).item()
    assert sum(parts) / len(parts) == pytest.approx(whole)
    torch.testing.assert_close(system.states[split], map_state(torch.Tensor.detach, state))


@pytest.mark.parametrize("split", SPLITS)
def test_silence_starts_every_row_anew(split: str) -> None:
    """Independent texts in any order, and a smaller last batch, as a plain loader yields them."""
    system, texts = model(), [tokens(3), tokens(3), tokens(2), tokens(3)]
    batches = [Batch(text, None, text) for text in texts]
    together = losses(system, batches, split)
    assert together == losses(system, batches[::-1], split)[::-1]
    assert together == [model().loss_on(batch, split)[0].item() for batch in batches]
    assert together[0] == together[1] != losses(system, [goes_on(texts[1])], split)[0]


def test_what_is_carried_goes_row_by_row() -> None:
    system, text = model(), tokens()
    fresh = torch.tensor([False, True, False])
    losses(system, [goes_on(text), Batch(text, None, text, fresh=fresh)], "train")
    twice, once = system(torch.cat([text, text], 1))[1], system(text)[1]
    expected = map_state(lambda both, one: torch.where(fresh.view(3, 1, 1), one, both), twice, once)
    torch.testing.assert_close(system.states["train"], map_state(torch.Tensor.detach, expected))


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("fresh", [[False, False], [True, False]])
def test_a_batch_that_goes_on_in_other_rows_is_refused(split: str, fresh: list[bool]) -> None:
    system = model()
    losses(system, [goes_on(tokens(3))], split)
    with pytest.raises(ValueError, match=r"a batch of 2 rows cannot go on from one of 3: .* \(fresh=None\)"):
        system.loss_on(Batch(tokens(2), None, tokens(2), fresh=torch.tensor(fresh)), split)
    assert losses(system, [goes_on(tokens(2), fresh=True)], split) == losses(
        model(), [Batch(tokens(2), None, tokens(2))], split
    )


@pytest.mark.parametrize("joined", [True, False])
def test_a_stream_module_s_training_reads_each_document_in_one_go(tmp_path: Path, joined: bool) -> None:
    """The losses of a training that changes nothing are those of its texts, read whole."""
    system = model(optimizer={"name": "sgd", "lr": 0.0})
    losses_of = {}
    for steps in (7, 1000):
        data = StreamModule(write_stream(tmp_path), batch_size=3, steps=steps, joined=joined)
        trainer = lightning.Trainer(accelerator="cpu", max_epochs=1, precision="64-true", num_sanity_val_steps=0, **QUIET)
        trainer.fit(system, data)
        losses_of[steps] = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert losses_of[7] == pytest.approx(losses_of[1000], rel=1e-6)
    assert {"train/loss", "val/loss", "val/perplexity"} == set(losses_of[7])


def test_a_batch_without_targets_still_carries() -> None:
    system, text = model(), tokens()
    first, second = text.split(4, 1)
    losses(system, [goes_on(first)._replace(targets=torch.full_like(first, IGNORED))], "train")
    assert losses(system, [goes_on(second)], "train") != losses(model(), [goes_on(second)], "train")
