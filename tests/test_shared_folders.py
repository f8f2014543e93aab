"""Shared folders: whatever loads one looks at its optimiser and schedule; without a network none is uploaded, in a line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from calls import system
from run_folders import own_place, store_values

import rnn_lightning as library
from rnn_lightning import load_predictor, models
from rnn_lightning.export import export_run
from rnn_lightning.files import read_json, write_json, write_sums


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("place")
    with own_place(place):
        yield store_values(place / "run")


OPTIMIZERS: list[tuple[dict[str, Any], str]] = [
    ({"optimizer": {"name": "adan", "lr": 1}}, "optimizer name must be one of"),
    ({"optimizer": {"name": "adam", "lr": "fast"}}, "optimizer: lr must be a finite number"),
    ({"optimizer": {"name": "adam", "lr": -1}}, "optimizer: lr must be a finite number of at least 0, not -1"),
    ({"optimizer": {"name": "adam", "rate": 1}}, "there is no setting 'rate'"),
    ({"optimizer": 5}, "optimizer must be {name: ..., ...}"),
    ({"schedule": {"name": "cosine"}}, "schedule 'cosine': needs 'T_max'"),
    ({"schedule": {"name": "exponential", "gamma": "x", "y": 1}}, "there is no setting 'y'"),
]


@pytest.mark.parametrize(("damage", "said"), OPTIMIZERS, ids=str)
def test_every_loader_looks_at_the_optimizer(run: Path, tmp_path: Path, damage: dict[str, Any], said: str) -> None:
    export_run(run, tmp_path / "there", "safetensors")
    config = read_json(tmp_path / "there" / "config.json")
    write_json(tmp_path / "there" / "config.json", config | {"arguments": config["arguments"] | damage})
    write_sums(tmp_path / "there")
    for load in (load_predictor, models.SequenceClassifier.from_pretrained, library.SequenceClassifier.from_pretrained):
        with pytest.raises(ValueError, match=said):
            load(tmp_path / "there")


def test_without_a_network_the_advice_is_to_look_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ValueError, match=r"^tiny/classifier: the Hub cannot be reached \(.*refused\): check the network"):
        system("SequenceClassifier").push_to_hub("tiny/classifier")
