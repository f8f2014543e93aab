"""A network may be given to a system as it is: trained, saved without it among the hyper-parameters, and asked for again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch

from rnn_lightning import (
    Batch,
    CTCRecognizer,
    FrameClassifier,
    LanguageModel,
    Recurrent,
    Seq2Seq,
    SequenceClassifier,
    System,
    Tagger,
)
from rnn_lightning.recurrent import recurrent

QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
SYSTEMS: dict[str, tuple[Callable[[Any], System], int]] = {
    "language model": (lambda rnn: LanguageModel(9, rnn, 5), 5),
    "tagger": (lambda rnn: Tagger(9, 3, rnn, embedding_size=5), 5),
    "frames": (lambda rnn: FrameClassifier(rnn, 2, ["a", "b"], splice=1), 6),
    "class": (lambda rnn: SequenceClassifier(rnn, 2, num_classes=3), 2),
    "labels": (lambda rnn: CTCRecognizer(rnn, 2, ["-", "a"], subsampling={"channels": 7}), 7),
}
every_system = pytest.mark.parametrize("name", SYSTEMS)


def network(width: int) -> Recurrent:
    torch.manual_seed(1)
    return recurrent("gru", width, 4)


@every_system
def test_a_network_or_its_keywords_make_the_same_system(name: str) -> None:
    build, width = SYSTEMS[name]
    given = build(network(width))
    described = build({"cell": "gru", "hidden_size": 4})
    described.load_state_dict(given.state_dict())
    inputs = torch.randint(9, (2, 4)) if given.vocab_size else torch.randn(2, 4, 2)
    torch.testing.assert_close(given(inputs), described(inputs))


@every_system
def test_a_checkpoint_asks_for_the_network_again(name: str, tmp_path: Path) -> None:
    build, width = SYSTEMS[name]
    system = build(network(width))
    trainer = lightning.Trainer(accelerator="cpu", max_steps=0, **QUIET)
    trainer.strategy.connect(system)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = type(system).load_from_checkpoint(tmp_path / "model.ckpt", rnn=network(width))
    assert all(torch.equal(*pair) for pair in zip(system.parameters(), again.parameters(), strict=True))
    with pytest.raises(ValueError, match=r"rnn must be a dict .* needs it again .* load_from_checkpoint\(path, rnn=network\)"):
        type(system).load_from_checkpoint(tmp_path / "model.ckpt")


@every_system
def test_a_network_of_another_width_is_refused(name: str) -> None:
    build, width = SYSTEMS[name]
    with pytest.raises(ValueError, match=f"rnn must read {width} features, the width of its inputs here, not {width + 1}"):
        build(network(width + 1))


@pytest.mark.parametrize("attention", ["general", None])
@pytest.mark.parametrize("feeding", [False, True])
def test_networks_may_be_given_as_they_are(tmp_path: Path, attention: str | None, feeding: bool) -> None:
    if feeding and attention is None:
        pytest.skip("nothing is fed back without attention")

    def networks() -> dict[str, Recurrent]:
        torch.manual_seed(1)
        return {"encoder": recurrent("lstm", 5, 3, bidirectional=True), "decoder": recurrent("gru", 5 + 4 * feeding, 4)}

    system = Seq2Seq(9, 9, {}, end=0, embedding_size=5, attention=attention, input_feeding=feeding, **networks())
    pairs = Batch(torch.tensor([[1, 2]]), None, torch.tensor([[3, 0]]))
    system.loss_on(pairs, "train")[0].backward()
    assert all(parameter.grad is not None for parameter in system.parameters())
    trainer = lightning.Trainer(accelerator="cpu", max_steps=0, **QUIET)
    trainer.strategy.connect(system)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = Seq2Seq.load_from_checkpoint(tmp_path / "model.ckpt", **networks())
    assert torch.equal(again.loss_on(pairs, "val")[0], system.loss_on(pairs, "val")[0])
    with pytest.raises(ValueError, match=r"encoder must be .* load_from_checkpoint\(path, encoder=network\)"):
        Seq2Seq.load_from_checkpoint(tmp_path / "model.ckpt")
