"""Weights of safetensors that fit in name and shape, and in nothing else: refused before they answer."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rnn_lightning import LanguageModel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small language model that was saved, without hashes, as other programs leave it."""
    model = LanguageModel(5, {"cell": "lstm", "hidden_size": 4}, 3)
    model.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "SHA256SUMS").unlink()
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda tensor: tensor.to(torch.int64), "is of torch.int64, and the model's of torch.float32"),
        (lambda tensor: tensor.fill_(torch.nan), "has numbers that are not finite"),
        (lambda tensor: tensor.fill_(torch.inf), "has numbers that are not finite"),
    ],
)
def test_numbers_of_another_kind_are_refused(changed: Callable[[torch.Tensor], torch.Tensor], said: str, folder: Path) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    name = next(iter(weights))
    save_file(weights | {name: changed(weights[name])}, file)
    with pytest.raises(ValueError, match=f"{name} of .*model.safetensors {said}"):
        LanguageModel.from_pretrained(folder)


def test_half_precision_is_widened(folder: Path) -> None:
    file = folder / "model.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(file).items()}, file)
    assert {parameter.dtype for parameter in LanguageModel.from_pretrained(folder).parameters()} == {torch.float32}


def test_who_may_read_the_settings_may_read_the_weights(folder: Path) -> None:
    modes = {stat.S_IMODE((folder / name).stat().st_mode) for name in ("config.json", "model.safetensors")}
    assert len(modes) == 1
